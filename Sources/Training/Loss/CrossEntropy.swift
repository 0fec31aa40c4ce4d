// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Execution
import Runtime

/// The mean cross entropy of logits and labels, and its gradient: PyTorch's `cross_entropy` with `reduction='mean'`, in
/// Double.
package struct CrossEntropy {
    /// The label of an ignored image.
    package static var ignoredLabel: Int64 { -100 }

    private let logits: TensorView
    private let labels: UnsafePointer<Int64>
    private let smoothing: Double
    /// Labels that are not ignored.
    private let count: Int

    /// - Parameters:
    ///   - logits: of shape (N, K, 1, 1).
    ///   - labels: `count` classes.
    ///   - smoothing: the share of the target that all classes get.
    /// - Throws: `invalidArgument` naming the argument at fault.
    package init(
        _ logits: TensorView, labels: UnsafePointer<Int64>, count: Int, smoothing: Double
    ) throws(BackboneError) {
        let shape = logits.shape
        guard shape.n >= 0 && shape.c >= 1 && shape.h == 1 && shape.w == 1 else {
            throw BackboneError(.invalidArgument, "logits.shape is \(dimensions: shape), expected [N, K, 1, 1]")
        }
        try logits.check("logits", shape: shape)
        guard count == shape.n else {
            throw BackboneError(
                .invalidArgument, "count is \(count) labels, expected \(shape.n), the N of logits.shape")
        }
        guard smoothing >= 0 && smoothing <= 1 else {
            throw BackboneError(.invalidArgument, "label_smoothing is \(smoothing), expected 0 to 1")
        }
        self.logits = logits
        self.labels = labels
        self.smoothing = smoothing
        self.count = try CrossEntropy.countLabels(labels, count, classes: shape.c)
    }

    private static func countLabels(
        _ labels: UnsafePointer<Int64>, _ count: Int, classes: Int
    ) throws(BackboneError) -> Int {
        var counted = 0
        for index in 0..<count where labels[index] != ignoredLabel {
            guard labels[index] >= 0 && labels[index] < Int64(classes) else {
                throw BackboneError(
                    .invalidArgument,
                    "labels[\(index)] is \(labels[index]), expected 0 to \(classes - 1), or -100 to ignore the image")
            }
            counted += 1
        }
        guard counted > 0 else {
            throw BackboneError(
                .invalidArgument, "all \(count) labels are -100 (ignored), expected at least one class")
        }
        return counted
    }

    /// - Parameter gradient: receives the gradient with respect to the logits, and may share their memory; nil if not
    ///   wanted.
    /// - Returns: the loss.
    /// - Throws: `invalidArgument` for another shape, or strides with which elements overlap.
    package func compute(gradient: TensorView?) throws(BackboneError) -> Double {
        if let gradient {
            try gradient.check("gradient", shape: logits.shape)
            try gradient.checkDisjoint("gradient")
        }
        var sum = 0.0
        for image in 0..<logits.shape.n {
            let row = Row(logits, image)
            let target = gradient.map { Row($0, image) }
            if labels[image] == CrossEntropy.ignoredLabel {
                if let target { for index in 0..<target.count { target[index] = 0 } }
            } else {
                sum += add(row, label: Int(labels[image]), gradient: target)
            }
        }
        return sum / Double(count)
    }

    /// The loss of one image. Subtracts the largest logit from all, so that no exponential overflows.
    private func add(_ logits: Row, label: Int, gradient: Row?) -> Double {
        var largest = -Double.infinity
        var total = 0.0
        var shifted = 0.0
        for index in 0..<logits.count where Double(logits[index]) > largest { largest = Double(logits[index]) }
        for index in 0..<logits.count {
            let difference = Double(logits[index]) - largest
            total += exp(difference)
            shifted += difference
        }
        let logarithm = log(total)
        let classes = Double(logits.count)
        var loss = logarithm - (Double(logits[label]) - largest)
        // Only with smoothing: for a logit of minus infinity, 0 times that would be NaN.
        if smoothing > 0 {
            loss = (1 - smoothing) * loss + smoothing * (logarithm - shifted / classes)
        }
        guard let gradient else { return loss }
        let scale = 1 / Double(count)
        for index in 0..<logits.count {
            let goal = (index == label ? 1 - smoothing : 0) + smoothing / classes
            gradient[index] = Float((exp(Double(logits[index]) - largest) / total - goal) * scale)
        }
        return loss
    }
}

/// The classes of one image.
private struct Row {
    private let start: UnsafeMutablePointer<Float>
    private let stride: Int
    let count: Int

    init(_ tensor: TensorView, _ image: Int) {
        let data = tensor.data.unsafelyUnwrapped.assumingMemoryBound(to: Float.self)
        start = data + image * tensor.strides.n
        stride = tensor.strides.c
        count = tensor.shape.c
    }

    subscript(index: Int) -> Float {
        get { start[index * stride] }
        nonmutating set { start[index * stride] = newValue }
    }
}
