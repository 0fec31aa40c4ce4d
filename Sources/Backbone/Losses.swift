// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Runtime
import Training

@_cdecl("backbone_cross_entropy") @implementation
public func backbone_cross_entropy(
    _ logits: UnsafePointer<backbone_tensor>!, _ labels: UnsafePointer<Int64>!, _ count: Int,
    _ label_smoothing: Double, _ out_loss: UnsafeMutablePointer<Double>!, _ gradient: UnsafePointer<backbone_tensor>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let logits = try TensorView(try require(logits, "logits").pointee, "logits")
        let labels = try require(labels, "labels")
        var view: TensorView?
        if let gradient { view = try TensorView(gradient.pointee, "gradient") }
        let entropy = try CrossEntropy(logits, labels: labels, count: count, smoothing: label_smoothing)
        let loss = try entropy.compute(gradient: view)
        out_loss?.pointee = loss
    }
}
