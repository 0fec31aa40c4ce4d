// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// What the mark `__author__` of a file says of where its weights are from. Files of detectron2's model zoo have it.
package enum Origin: Sendable {
    case unknown
    /// Trained in PyTorch with the stride on the 3x3 convolutions.
    case pytorch
    /// Trained by MSRA in Caffe or in Caffe2: stride on the 1x1 convolutions, BGR pixels less their mean.
    case caffe

    init(author: Bytes) {
        if equal(author, "torchvision") || equal(author, "timm") {
            self = .pytorch
        } else if equal(author, "Caffe2") || equal(author, "MSRA") || equal(author, "Detectron") {
            self = .caffe
        } else {
            self = .unknown
        }
    }
}
