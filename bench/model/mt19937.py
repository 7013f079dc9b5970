"""Mersenne Twister MT19937 for many seeds at once, as in NumPy's legacy ``RandomState(seed)`` and torch's generator.

Shapes: T seeds, D draws. Matsumoto and Nishimura 1998, seeded by their init_genrand of 2002. Seeding alone is 624
steps, here one for all seeds, so that thousands of seeds take a fifth to an eighth of the time that NumPy takes for one
after the other.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

STATE = 624
SHIFT = 397
UPPER, LOWER = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
MATRIX = np.uint32(0x9908B0DF)
MULTIPLIER = np.uint32(1812433253)
FEW = 200  # seeds: up to here NumPy's own generator takes no longer; for a single one, 200 times less
MANY = 10_000  # draws that are thrown away: whole states are turned in a twentieth of the time
AT_ONCE = 1_000_000  # draws that are thrown away
SEEDS_AT_ONCE = 2048  # 5 MB of state: more falls out of the cache


def words(seeds: Sequence[int], draws: int, skipped: int = 0) -> Words:
    """Return the draws ``[D, T]`` of each seed's stream after those that are ``skipped``, 32 bits each."""
    out = np.empty((draws, len(seeds)), dtype=np.uint32)
    if len(seeds) <= (FEW if skipped < MANY else FEW // 20):
        stream = np.random.RandomState()
        for place, seed in enumerate(seeds):
            stream.seed(int(seed))
            for some in _parts(skipped):
                stream.bytes(4 * some)
            out[:, place] = np.frombuffer(stream.bytes(4 * draws), "<u4")
        return out
    for start in range(0, len(seeds), SEEDS_AT_ONCE):
        part = np.asarray(seeds[start : start + SEEDS_AT_ONCE], dtype=np.uint32)
        out[:, start : start + len(part)] = _words(part, draws, skipped)
    return out


def doubles(words_DT: Words) -> NDArray[np.float64]:
    """Return the numbers ``[D / 2, T]`` from 0 to below 1 that NumPy makes of two draws each: 53 bits."""
    high, low = words_DT[0::2] >> np.uint32(5), words_DT[1::2] >> np.uint32(6)
    return (high * 67108864.0 + low) / 9007199254740992.0


def floats(words_DT: Words) -> NDArray[np.float64]:
    """Return the numbers ``[D, T]`` from 0 to below 1 that torch makes of one draw each for a float32: 24 bits."""
    return (words_DT & np.uint32(0xFFFFFF)).astype(np.float64) * 2.0**-24


def _parts(count: int) -> Iterator[int]:
    """Yield numbers whose sum is this one: so many draws at a time are thrown away."""
    while count > 0:
        yield min(count, AT_ONCE)
        count -= AT_ONCE


def _words(seeds_T: Words, draws: int, skipped: int) -> Words:
    """Return the draws ``[D, T]`` after those that are skipped, one for all seeds in each turn of the loop."""
    # the first draws need no more of the state than this; all of it comes into play after STATE - SHIFT
    turns, skipped = divmod(skipped, STATE)
    size = STATE if turns or skipped + draws > STATE - SHIFT else min(STATE, skipped + draws + SHIFT)
    state = _seeded(seeds_T, size)
    for _ in range(turns):
        _turn(state)
    out = np.empty((skipped + draws, len(seeds_T)), dtype=np.uint32)
    for draw in range(skipped + draws):
        k = draw % STATE
        y = (state[k] & UPPER) | (state[(k + 1) % STATE] & LOWER)
        state[k] = state[(k + SHIFT) % STATE] ^ (y >> np.uint32(1)) ^ (y & np.uint32(1)) * MATRIX
        out[draw] = state[k]
    return _tempered(out[skipped:])


def _turn(state: Words) -> None:
    """Replace a whole state ``[624, T]`` by the next, as so many draws do: each part of it by those before."""
    # a word takes the one SHIFT places on, which is of the state before only for the first STATE - SHIFT
    for start, stop in ((0, STATE - SHIFT), (STATE - SHIFT, 2 * (STATE - SHIFT)), (2 * (STATE - SHIFT), STATE - 1)):
        _renew(state[start:stop], state[start + 1 : stop + 1], state[(start + SHIFT) % STATE :][: stop - start])
    _renew(state[-1:], state[:1], state[SHIFT - 1 : SHIFT])


def _renew(words_DT: Words, next_DT: Words, other_DT: Words) -> None:
    """Replace words by those of the next state, given the words after them and those SHIFT places on."""
    y = (words_DT & UPPER) | (next_DT & LOWER)
    odd = (y & np.uint32(1)) * MATRIX
    y >>= np.uint32(1)
    y ^= odd
    np.bitwise_xor(other_DT, y, out=words_DT)


def _seeded(seeds_T: Words, size: int) -> Words:
    """Return the beginning of the state after seeding, of that size."""
    state = np.empty((size, len(seeds_T)), dtype=np.uint32)
    state[0] = seeds_T
    for k in range(1, size):
        np.right_shift(state[k - 1], np.uint32(30), out=state[k])
        state[k] ^= state[k - 1]
        state[k] *= MULTIPLIER
        state[k] += np.uint32(k)
    return state


def _tempered(y: Words) -> Words:
    """Return the draws that the generator gives for words of its state."""
    y ^= y >> np.uint32(11)
    y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
    y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
    y ^= y >> np.uint32(18)
    return y
