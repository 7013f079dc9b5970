"""Where a sweep ran."""

import subprocess

from bench.running.environment import environment


def test_the_environment_names_machine_versions_and_threads(folder):
    """What could explain a timing is there."""
    found = environment("serial", 1)
    assert found["cpu"]
    assert found["cores"] >= 1
    assert {"numpy", "torch", "mlflow"} <= set(found["versions"])
    assert found["threads"]["per_worker"] == 1
    assert found["commit"] is None


def test_the_commit_of_the_working_folder_is_named(folder):
    """A folder under git has a commit, marked if it has changes on top."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / ".gitignore").write_text("*.db*\n")
    subprocess.run([*git, "add", ".gitignore"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    assert len(environment("serial", 1)["commit"]) == 40
    (folder / "new").write_text("")
    assert environment("serial", 1)["commit"].endswith("with changes")
