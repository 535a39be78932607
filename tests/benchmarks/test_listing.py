"""What a listing says of presets."""

from __future__ import annotations

import json

import pytest

import methods
from benchmarks.run import main


@pytest.mark.parametrize("arguments", [["--list"], ["--list", "methods"]])
def test_json_tells_where_each_preset_is_from_and_departs(capsys, arguments):
    assert main([*arguments, "--format", "json"]) == 0
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)["methods"]}
    for name, item in found.items():
        presets = methods.registry.get(name).attributes["presets"]
        assert item["preset_sources"] == {
            preset: {"source": held.source, "deviations": list(held.deviations)}
            for preset, held in presets.items()
        }
    assert len(found["gan_em"]["preset_sources"]["paper"]["deviations"]) > 5


def test_json_of_other_kinds_has_no_presets(capsys):
    assert main(["--list", "metrics", "--format", "json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["metrics"]
