"""What `make demo` and `make study-interfaces` would run is understood by the program."""

import shlex
import shutil
import subprocess

import pytest

from mlip_sse.campaign.specs import load_campaign
from mlip_sse.cli.main import VERBS, main


@pytest.mark.parametrize(("target", "n_campaigns"), [("demo", 1), ("study-interfaces", 2)])
def test_targets_name_verbs_and_options_that_exist(target, n_campaigns, repository, capsys):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    dry_run = ["make", "--dry-run", "--no-print-directory", target]
    printed = subprocess.run(dry_run, cwd=repository, capture_output=True, text=True, check=True).stdout
    lines = printed.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) for line in lines if "bin/mlip-sse " in line]
    assert [words[1] for words in commands] == ["campaign"] * n_campaigns
    for words in commands:
        assert words[1] in VERBS
        assert main([words[1], "--help"]) == 0
        known = capsys.readouterr().out
        assert load_campaign(words[2]).question
        for option in (word for word in words if word.startswith("--")):
            assert option in known
