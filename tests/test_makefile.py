"""What `make demo` would run is understood by the program."""

import shlex
import shutil
import subprocess

import pytest

from mlip_sse.campaign.specs import load_campaign
from mlip_sse.cli.main import VERBS, main


def test_the_demo_names_verbs_and_options_that_exist(repository, capsys):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    dry_run = ["make", "--dry-run", "--no-print-directory", "demo"]
    printed = subprocess.run(dry_run, cwd=repository, capture_output=True, text=True, check=True).stdout
    lines = printed.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) for line in lines if "bin/mlip-sse " in line]
    assert [words[1] for words in commands] == ["campaign"]
    for words in commands:
        assert words[1] in VERBS
        assert main([words[1], "--help"]) == 0
        known = capsys.readouterr().out
        assert load_campaign(words[2]).structure
        for option in (word for word in words if word.startswith("--")):
            assert option in known
