// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Six output pixels by sixteen output channels of a convolution: as many sums as fit into the sixteen registers of AVX2
/// beside two vectors of weights and a broadcast input, so that a step of twelve multiplications needs eight loads.
///
/// `output[p][c] = relu(sum over s, k of input[p][s * segmentStride + k] * panel[s][k][c] + bias[c] + residual[p][c])`.
/// The sum of each element runs over segments and k in order, one fused multiplication after the other.
///
/// - Parameters:
///   - inputs: Where the window of each of the 6 pixels begins.
///   - segmentCount: Rows of a window, at least 1.
///   - segmentStride: Floats from one row to the next.
///   - segmentLength: Floats of a row, at least 1.
///   - panel: 16 weights for each float of a window, row after row.
///   - bias: 16 values.
///   - residuals: 6 addresses of pixels, at whose `channel` 16 floats are read; nil for none.
///   - outputs: 6 addresses of pixels, at whose `channel` 16 floats are written.
@inline(never)
package func convolutionTile6x16(
    inputs: UnsafePointer<UnsafePointer<Float>>, segmentCount: Int, segmentStride: Int, segmentLength: Int,
    panel: UnsafePointer<Float>, bias: UnsafePointer<Float>, residuals: UnsafePointer<UnsafePointer<Float>>?,
    outputs: UnsafePointer<UnsafeMutablePointer<Float>>, channel: Int, isRelu: Bool
) {
    var acc00 = load(bias)
    var acc01 = load(bias + 8)
    var (acc10, acc11) = (acc00, acc01)
    var (acc20, acc21) = (acc00, acc01)
    var (acc30, acc31) = (acc00, acc01)
    var (acc40, acc41) = (acc00, acc01)
    var (acc50, acc51) = (acc00, acc01)

    var a0 = inputs[0]
    var a1 = inputs[1]
    var a2 = inputs[2]
    var a3 = inputs[3]
    var a4 = inputs[4]
    var a5 = inputs[5]
    var b = panel
    var segment = segmentCount
    repeat {
        var k = 0
        repeat {
            let b0 = load(b)
            let b1 = load(b + 8)
            b += 16
            let x0 = Vector(repeating: a0[k])
            acc00 = acc00.addingProduct(x0, b0)
            acc01 = acc01.addingProduct(x0, b1)
            let x1 = Vector(repeating: a1[k])
            acc10 = acc10.addingProduct(x1, b0)
            acc11 = acc11.addingProduct(x1, b1)
            let x2 = Vector(repeating: a2[k])
            acc20 = acc20.addingProduct(x2, b0)
            acc21 = acc21.addingProduct(x2, b1)
            let x3 = Vector(repeating: a3[k])
            acc30 = acc30.addingProduct(x3, b0)
            acc31 = acc31.addingProduct(x3, b1)
            let x4 = Vector(repeating: a4[k])
            acc40 = acc40.addingProduct(x4, b0)
            acc41 = acc41.addingProduct(x4, b1)
            let x5 = Vector(repeating: a5[k])
            acc50 = acc50.addingProduct(x5, b0)
            acc51 = acc51.addingProduct(x5, b1)
            k &+= 1
        } while k < segmentLength
        a0 += segmentStride
        a1 += segmentStride
        a2 += segmentStride
        a3 += segmentStride
        a4 += segmentStride
        a5 += segmentStride
        segment &-= 1
    } while segment > 0

    if let residuals {
        acc00 += load(residuals[0] + channel)
        acc01 += load(residuals[0] + (channel + 8))
        acc10 += load(residuals[1] + channel)
        acc11 += load(residuals[1] + (channel + 8))
        acc20 += load(residuals[2] + channel)
        acc21 += load(residuals[2] + (channel + 8))
        acc30 += load(residuals[3] + channel)
        acc31 += load(residuals[3] + (channel + 8))
        acc40 += load(residuals[4] + channel)
        acc41 += load(residuals[4] + (channel + 8))
        acc50 += load(residuals[5] + channel)
        acc51 += load(residuals[5] + (channel + 8))
    }
    if isRelu {
        (acc00, acc01) = (relu(acc00), relu(acc01))
        (acc10, acc11) = (relu(acc10), relu(acc11))
        (acc20, acc21) = (relu(acc20), relu(acc21))
        (acc30, acc31) = (relu(acc30), relu(acc31))
        (acc40, acc41) = (relu(acc40), relu(acc41))
        (acc50, acc51) = (relu(acc50), relu(acc51))
    }
    store(acc00, outputs[0] + channel)
    store(acc01, outputs[0] + (channel + 8))
    store(acc10, outputs[1] + channel)
    store(acc11, outputs[1] + (channel + 8))
    store(acc20, outputs[2] + channel)
    store(acc21, outputs[2] + (channel + 8))
    store(acc30, outputs[3] + channel)
    store(acc31, outputs[3] + (channel + 8))
    store(acc40, outputs[4] + channel)
    store(acc41, outputs[4] + (channel + 8))
    store(acc50, outputs[5] + channel)
    store(acc51, outputs[5] + (channel + 8))
}
