# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a training on a folder of images consists of: the images, their order and their augmentation."""
