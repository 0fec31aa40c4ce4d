# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The hostile checkpoints that the C tests load are what their generator writes."""

import generate_hostile


def test_generator_makes_the_stored_files(tmp_path, monkeypatch):
    stored = generate_hostile.FOLDER
    monkeypatch.setattr(generate_hostile, "FOLDER", tmp_path / "hostile")
    generate_hostile.main([])
    made = {path.name: path.read_bytes() for path in (tmp_path / "hostile").iterdir()}
    assert len(made) > 500
    assert made == {path.name: path.read_bytes() for path in stored.iterdir()}
