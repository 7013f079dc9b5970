"""What stands in for a backend whose package is not installed: it refuses every trial, and says what to install."""

from dataclasses import dataclass

from bench.problem.outcome import Batch, Outcome
from bench.problem.trial import Trial


@dataclass
class Missing:
    """A backend that is not there; ``extra`` is the project's extra that brings its ``package``."""

    name: str
    package: str
    extra: str
    releases_gil: bool = False
    least: int = 1

    def unsupported(self, trial: Trial) -> str:  # noqa: ARG002 - a backend's
        """Refuse every trial."""
        return f"backend {self.name} needs {self.package}; install it with: pip install 'bench[{self.extra}]'"

    def cost_us(self, trial: Trial) -> float:  # noqa: ARG002 - likewise
        """Return something: nothing is ever trained here."""
        return 1.0

    def train(self, batch: Batch) -> Outcome:  # noqa: ARG002 - likewise
        """Raise: the trial was refused."""
        raise AssertionError(f"backend {self.name} was asked to train what it refuses")
