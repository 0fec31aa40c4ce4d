// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import KernelsAVX2
import KernelsAVX512

/// The leaf functions of an instruction set, which the convolutions in this folder are built of. Each is documented where
/// it is: in `KernelsAVX2`, whose files `KernelsAVX512` compiles for vectors of twice the width.
protocol VectorInstructions: SendableMetatype {
    /// Floats of a vector.
    static var lanes: Int { get }

    /// Output channels of a panel, which a tile computes at once.
    static var panelWidth: Int { get }

    /// The height of the highest tile of a product.
    static var mostProductRows: Int { get }

    /// Columns for each cache line that a tile asks for.
    static var columnsPerPrefetch: Int { get }

    /// Output pixels by the channels of a panel, with bias, residual and ReLU.
    static func convolutionTile(
        height: Int, _ panel: shims_convolution_panel, inputs: UnsafePointer<UnsafePointer<Float>>,
        residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
        prefetch: UnsafeRawPointer, prefetchStep: Int
    )

    /// Which channels of a pixel are not zero.
    static func nonzeroMasks(
        _ pixel: UnsafePointer<Float>, words: Int, masks: UnsafeMutablePointer<UInt64>, stride: Int
    )

    /// Adds the products of what is not zero in some input channels to the sums of pixels.
    static func sparseProducts(
        panels: Int, _ step: shims_sparse_step, pixels: Int, inputs: UnsafePointer<UnsafePointer<Float>>,
        masks: UnsafePointer<UInt64>, sums: UnsafeMutablePointer<Float>,
        residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>
    )

    /// Rows by the columns of a panel of a matrix product.
    static func productTile(
        height: Int, a: UnsafePointer<Float>, aStride: Int, depth: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, prefetch: UnsafeRawPointer, prefetchStep: Int
    )

    /// Brings rows of weights into a panel.
    static func packPanel(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>
    )

    /// Whether packed weights are finite: 0 or NaN.
    static func sumOfZeroProducts(_ weights: UnsafePointer<Float>, count: Int) -> Float

    /// Transforms the weights of an input channel for the output channels of a panel.
    static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Double>
    )

    /// Transforms the input pixels of a tile.
    static func winogradInput(
        m: Int, stride: Int, _ input: shims_winograd_input, out: UnsafeMutablePointer<Float>, pointStride: Int,
        scratch: UnsafeMutablePointer<Float>
    )

    /// Transforms products of a panel into output pixels, with bias, residual and ReLU.
    static func winogradOutput(
        m: Int, stride: Int, products: UnsafePointer<Float>, pointStride: Int, _ target: shims_winograd_output,
        scratch: UnsafeMutablePointer<Float>
    )
}

extension VectorInstructions {
    /// Floats of a panel that a tile reads from one request for memory to the next.
    static var floatsPerPrefetch: Int { columnsPerPrefetch * panelWidth }
}

extension KernelsAVX2.Leaves: VectorInstructions {}
extension KernelsAVX512.Leaves: VectorInstructions {}

typealias AVX2 = KernelsAVX2.Leaves
typealias AVX512 = KernelsAVX512.Leaves
