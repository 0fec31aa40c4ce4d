# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# What Doxygen reads of a declaration in include/backbone.h: with the sentences that would be the same for all of them,
# and that nobody who reads the header itself needs.
s|^BACKBONE_API backbone_status |/** @return BACKBONE_STATUS_OK, or why it failed. */ &|
s|^.*BACKBONE_API .*[ (]backbone \*net[,)].*|/** @param net The network. */ &|
s|^.*BACKBONE_API .*[ (]backbone_tape \*tape[,)].*|/** @param tape The tape. */ &|
s|^.*BACKBONE_API .*[ (]backbone_optimizer \*optimizer[,)].*|/** @param optimizer The optimiser. */ &|
s|^.*BACKBONE_API .*[ (]backbone_report \*report[,)].*|/** @param report The report. */ &|
