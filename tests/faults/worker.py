"""A job for tests of the harness: writes numbered files one after the other, and may hang."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    folder, count, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if how == "child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if how == "fails-once" and not (folder / "failed").exists():
        (folder / "failed").touch()
        sys.exit("ValueError: it was the first time")
    for number in range(count):
        if how == "hangs-once" and number == 3 and not (folder / "hung").exists():
            (folder / "hung").touch()
            time.sleep(600)
        if not (folder / f"{number}.txt").exists():
            time.sleep(0.02)
            (folder / f"{number}.txt").touch()
    print(json.dumps({"root": "r", "rows": count}))  # noqa: T201  # its answer
