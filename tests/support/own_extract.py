"""The project of docs/tutorials/own_extract.md."""

import re
from pathlib import Path
from shutil import copyfile

SHIPPED = Path("data", "raw", "hospital_2", "patients.csv")


def own_extract(home: Path, repository: Path) -> Path:
    """Puts the tutorial's hospital `mine` and its extract into the project `home`, as the tutorial says."""
    page = (repository / "docs" / "tutorials" / "own_extract.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (home / "data" / "raw").mkdir(parents=True, exist_ok=True)
    copyfile(repository / SHIPPED, home / "data" / "raw" / SHIPPED.name)
    (home / "hospital_configs" / "mine.yml").write_text(text, encoding="utf-8")
    return home
