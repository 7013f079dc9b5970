"""The recipe for MLflow, word for word."""

from pathlib import Path

from bench.store.names import DEFAULT_URI

PAGE = Path(__file__).parent.parent.parent / "docs" / "mlflow.md"


def test_the_recipe_finds_sweeps_trials_the_best_and_its_curve(bench, folder, capsys, monkeypatch):
    """As it is printed, in the folder of a store; what was asked are params of a sweep, the machine its tags."""
    bench("sweep", "hidden=2,3", "seeds=0:6", "iterations=60", "learning_rate=5", "--no-report", "--runs", "trial")
    (code,) = (part.partition("```")[0] for part in PAGE.read_text().split("```python\n")[1:])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DEFAULT_URI)  # both are put back: the recipe sets them for good
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    found: dict[str, object] = {}
    exec(compile(code, PAGE.name, "exec"), found)
    assert "xor: hidden 2, 3" in capsys.readouterr().out
    (sweep,) = found["sweeps"].to_dict("records")
    assert {name.partition(".")[2]: value for name, value in sweep.items() if name.startswith("params.")} == {
        "gate": "xor",
        "hidden": "2, 3",
        "learning_rate": "5",
        "iterations": "60",
        "seeds": "0:6",
    }
    assert "numpy " in sweep["tags.bench.env.versions"]
    assert sorted(found["trials"]["params.hidden"]) == ["2", "3"]
    assert found["best"]["metrics.solved_rate"] == found["trials"]["metrics.solved_rate"].max()
    assert len(found["curve"]) == 25
