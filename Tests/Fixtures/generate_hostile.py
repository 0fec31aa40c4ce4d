#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Writes a folder with one small file for each attack on a reader of checkpoints, and what has to come of it.

manifest.txt has a line for each file: its name, the status that loading it into a network of one channel must give
(`*`: 0, 5 or 6), and a text that the message must hold. Status 0 stands for files that look hostile and are not:
their `bn1.weight`, which is 0.25, is loaded, and nothing else happens. Plain Python; the same bytes at every run.

    python3 Tests/Fixtures/generate_hostile.py FOLDER           # hundreds of small files
    python3 Tests/Fixtures/generate_hostile.py --large FOLDER   # a few of megabytes
"""

import argparse

import hostile_foreigners
import hostile_large
import hostile_numbers
import hostile_pickles
import hostile_safetensors
import hostile_zips
from hostile_corpus import Corpus


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", help="made if need be; the files of an earlier run are deleted")
    parser.add_argument("--large", action="store_true", help="write the large files instead")
    arguments = parser.parse_args(arguments)
    corpus = Corpus(arguments.folder)
    if arguments.large:
        hostile_large.large(corpus)
    else:
        hostile_pickles.code(corpus)
        hostile_pickles.bombs(corpus)
        hostile_numbers.pickle_numbers(corpus)
        hostile_zips.zips(corpus)
        hostile_safetensors.headers(corpus)
        hostile_foreigners.foreigners(corpus)
    corpus.close()


if __name__ == "__main__":
    main()
