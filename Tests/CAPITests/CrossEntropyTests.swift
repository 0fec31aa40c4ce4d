// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Testing

/// Cross entropy against what PyTorch 2.13 gives in float64:
/// `x = [[((i * 37 + k * 53) % 101 - 50) / 8 for k in range(5)] for i in range(4)]`,
/// `l = F.cross_entropy(torch.tensor(x).double().requires_grad_(), labels, label_smoothing=s)`, `l.backward()`.
struct CrossEntropyTests {
    private static let logits: [Float] = (0..<20).map { index in
        let number = (index / 5 * 37 + index % 5 * 53) % 101
        return Float(number - 50) / 8
    }

    struct Case: Sendable {
        let labels: [Int64]
        let smoothing: Double
        let loss: Double
        let gradient: [Float]
    }

    private static let cases = [
        Case(
            labels: [2, 0, 4, 1], smoothing: 0, loss: 4.0989592616257839,
            gradient: [
                0.000115304737, 0.0869056658, -0.249784582, 0.162361159, 0.000402453076, -0.249884695, 0.0869056658,
                0.000215417608, 0.162361159, 0.000402453076, 0.0392729873, 9.73480029e-05, 0.0733715998, 0.000181870013,
                -0.112923805, 0.000115304737, -0.163094334, 0.000215417608, 0.162361159, 0.000402453076,
            ]),
        Case(
            labels: [2, 0, 4, 1], smoothing: 0.1, loss: 4.1227092616257837,
            gradient: [
                -0.00488469526, 0.0819056658, -0.229784582, 0.157361159, -0.00459754692, -0.229884695, 0.0819056658,
                -0.00478458239, 0.157361159, -0.00459754692, 0.0342729873, -0.004902652, 0.0683715998, -0.00481812999,
                -0.0929238052, -0.00488469526, -0.143094334, -0.00478458239, 0.157361159, -0.00459754692,
            ]),
        Case(
            labels: [2, -100, 4, -100], smoothing: 0.1, loss: 3.8600308344962846,
            gradient: [
                -0.00976939053, 0.163811332, -0.459569165, 0.314722318, -0.00919509385, 0, 0, 0, 0, 0, 0.0685459747,
                -0.00980530399, 0.1367432, -0.00963625997, -0.18584761, 0, 0, 0, 0, 0,
            ]),
        Case(
            labels: [2, 0, 4, 1], smoothing: 1, loss: 4.3364592616257838,
            gradient: [
                -0.0498846953, 0.0369056658, -0.0497845824, 0.112361159, -0.0495975469, -0.0498846953, 0.0369056658,
                -0.0497845824, 0.112361159, -0.0495975469, -0.0107270127, -0.049902652, 0.0233715998, -0.04981813,
                0.0870761948, -0.0498846953, 0.0369056658, -0.0497845824, 0.112361159, -0.0495975469,
            ]),
    ]

    private func isClose(_ a: [Float], _ b: [Float]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-8 }
    }

    @Test(arguments: cases) func valuesArePyTorchs(_ test: Case) throws {
        var logits = Self.logits
        var gradient = [Float](repeating: .nan, count: 20)
        var loss = 0.0
        let shape: [Int64] = [4, 5, 1, 1]
        try logits.withUnsafeMutableBytes { logits in
            try gradient.withUnsafeMutableBytes { gradient in
                var input = backbone_tensor(logits.baseAddress, shape: shape, strides: contiguous(shape))
                var output = backbone_tensor(gradient.baseAddress, shape: shape, strides: contiguous(shape))
                try check(backbone_cross_entropy(&input, test.labels, 4, test.smoothing, &loss, &output))
            }
        }
        #expect(abs(loss - test.loss) < 1e-14)
        #expect(isClose(gradient, test.gradient), "\(gradient)")
        #expect(logits == Self.logits)
    }

    @Test func stridesMayBeAnyAndTheGradientMayTakeThePlaceOfTheLogits() throws {
        let test = Self.cases[1]
        // Classes apart by 4, images by 1, in memory that is then the gradient's.
        var memory = [Float](repeating: 7, count: 24)
        for image in 0..<4 { for kind in 0..<5 { memory[kind * 4 + image] = Self.logits[image * 5 + kind] } }
        var backwards = [Float](Self.logits.reversed())
        var (loss, again) = (0.0, 0.0)
        try memory.withUnsafeMutableBytes { memory in
            var tensor = backbone_tensor(memory.baseAddress, shape: [4, 5, 1, 1], strides: [1, 4, 9, -9])
            try check(backbone_cross_entropy(&tensor, test.labels, 4, test.smoothing, &loss, &tensor))
        }
        try backwards.withUnsafeMutableBytes { memory in
            let last = memory.baseAddress.map { $0 + 19 * 4 }
            var tensor = backbone_tensor(last, shape: [4, 5, 1, 1], strides: [-5, -1, 1, 1])
            try check(backbone_cross_entropy(&tensor, test.labels, 4, test.smoothing, &again, nil))
        }
        #expect(abs(loss - test.loss) < 1e-14 && loss == again)
        let gradient = (0..<20).map { memory[$0 % 5 * 4 + $0 / 5] }
        #expect(isClose(gradient, test.gradient), "\(gradient)")
        #expect(memory[20...] == [7, 7, 7, 7])
    }

    private func loss(_ logits: [Float], _ label: Int64, smoothing: Double = 0) throws -> Double {
        var logits = logits
        var loss = 0.0
        let shape = [1, Int64(logits.count), 1, 1]
        try logits.withUnsafeMutableBytes { logits in
            var tensor = backbone_tensor(logits.baseAddress, shape: shape, strides: contiguous(shape))
            try check(backbone_cross_entropy(&tensor, [label], 1, smoothing, &loss, nil))
        }
        return loss
    }

    /// As PyTorch's F.cross_entropy gives them.
    @Test func largeAndInfiniteLogits() throws {
        #expect(try abs(loss([1000, -1000, 999], 2) - 1.3132616875182228) < 1e-14)
        #expect(try loss([-.infinity, 0, 1], 0) == .infinity)
        #expect(try abs(loss([-.infinity, 0, 1], 1) - 1.3132616875182228) < 1e-14)
        #expect(try loss([-.infinity, 0, 1], 1, smoothing: 0.1) == .infinity)
        #expect(try loss([.infinity, 0, 1], 1).isNaN)
        #expect(try loss([.nan, 0, 1], 1).isNaN)
        #expect(try loss([5], 0) == 0)
    }

    @Test func errorsNameTheCulpritAndWriteNothing() throws {
        var logits = Self.logits
        var gradient = [Float](repeating: 7, count: 20)
        let shape: [Int64] = [4, 5, 1, 1]
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        var loss = -1.0
        logits.withUnsafeMutableBytes { logits in
            gradient.withUnsafeMutableBytes { gradient in
                let good = backbone_tensor(logits.baseAddress, shape: shape, strides: contiguous(shape))
                let out = backbone_tensor(gradient.baseAddress, shape: shape, strides: contiguous(shape))
                func call(
                    _ tensor: backbone_tensor? = nil, _ labels: [Int64] = [0, 1, 2, 3], count: Int = 4,
                    smoothing: Double = 0, into target: backbone_tensor? = nil
                ) -> backbone_status {
                    var (tensor, target) = (tensor ?? good, target ?? out)
                    return backbone_cross_entropy(&tensor, labels, count, smoothing, &loss, &target)
                }
                expectFailure(call(nil, [0, 1, 5, 3]), invalid, "labels[2] is 5", "0 to 4")
                expectFailure(call(nil, [0, -1, 0, 3]), invalid, "labels[1] is -1")
                expectFailure(call(nil, [-100, -100, -100, -100]), invalid, "all 4 labels")
                expectFailure(call(count: 3), invalid, "count is 3", "4")
                expectFailure(call(smoothing: -0.1), invalid, "label_smoothing is -0.1")
                expectFailure(call(smoothing: 1.5), invalid, "label_smoothing is 1.5")
                expectFailure(call(smoothing: .nan), invalid, "label_smoothing is nan")
                let image = backbone_tensor(logits.baseAddress, shape: [1, 5, 2, 2], strides: [20, 4, 2, 1])
                expectFailure(call(image), invalid, "logits.shape is [1, 5, 2, 2]")
                expectFailure(
                    call(backbone_tensor(nil, shape: shape, strides: contiguous(shape))), invalid, "logits.data")
                let none = backbone_tensor(logits.baseAddress, shape: [0, 5, 1, 1], strides: [5, 1, 1, 1])
                expectFailure(call(none, [], count: 0), invalid, "all 0 labels")
                let overlapping = backbone_tensor(gradient.baseAddress, shape: shape, strides: [1, 1, 1, 1])
                expectFailure(call(into: overlapping), invalid, "gradient.strides")
                let other = backbone_tensor(gradient.baseAddress, shape: [5, 4, 1, 1], strides: [4, 1, 1, 1])
                expectFailure(call(into: other), invalid, "gradient.shape is [5, 4, 1, 1]")
                var tensor = good
                expectFailure(backbone_cross_entropy(nil, [0], 1, 0, &loss, nil), invalid, "logits is NULL")
                expectFailure(backbone_cross_entropy(&tensor, nil, 4, 0, &loss, nil), invalid, "labels is NULL")
                #expect(backbone_cross_entropy(&tensor, [0, 1, 2, 3], 4, 0, nil, nil) == 0)
            }
        }
        #expect(loss == -1 && gradient == [Float](repeating: 7, count: 20))
    }
}
