// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The leaf functions of an instruction set, on which the kernels in this folder are built. `VectorKernels` documents each;
/// a target per instruction set compiles them for vectors of its width.
protocol VectorInstructions: SendableMetatype {
    /// The names of its kernels.
    static var names: VectorKernelNames { get }

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

    /// The same for groups that are narrower than a panel.
    static func groupedTile(
        height: Int, isNarrow: Bool, _ panel: shims_convolution_panel, secondGroup: Int,
        inputs: UnsafePointer<UnsafePointer<Float>>, residuals: UnsafePointer<UnsafePointer<Float>>?,
        outputs: UnsafePointer<UnsafeMutablePointer<Float>>
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

    /// Input channels that `packPanel` takes at a time.
    static var packedInputs: Int { get }

    /// Brings the weights of output channels into a whole panel; 0 if they are finite, else NaN.
    static func packPanel(
        area: Int, inputs: Int, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) -> Float

    /// Brings columns of weights into a panel.
    static func packColumns(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>?,
        out: UnsafeMutablePointer<Float>
    )

    /// Whether packed weights are finite: 0 or NaN.
    static func sumOfZeroProducts(_ weights: UnsafePointer<Float>, count: Int) -> Float

    /// Transforms the weights of an input channel for the output channels of a panel.
    static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, isReversed: Bool,
        scale: UnsafePointer<Double>, out: UnsafeMutablePointer<Float>, pointStride: Int,
        scratch: UnsafeMutablePointer<Double>
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

    /// One row of max pooling over windows of 3 x 3 pixels at stride 2 and padding 1.
    static func maxPoolingRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, row2: UnsafePointer<Float>, width: Int, channels: Int,
        out: UnsafeMutablePointer<Float>, outputWidth: Int
    )

    /// Pixels of three planes, channels last.
    static func interleave(
        _ plane0: UnsafePointer<Float>, _ plane1: UnsafePointer<Float>, _ plane2: UnsafePointer<Float>, width: Int,
        out: UnsafeMutablePointer<Float>
    )

    /// Normalises pixels of three floats.
    static func normalizeInPlace(
        _ pixels: UnsafeMutablePointer<Float>, width: Int, means: UnsafePointer<Float>,
        deviations: UnsafePointer<Float>
    )

    /// Converts and normalises pixels of three bytes.
    static func normalizePixels(
        _ source: UnsafePointer<UInt8>, width: Int, means: UnsafePointer<Float>, deviations: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>
    )

    /// The same for pixels whose bytes are at three addresses.
    static func normalizePlanes(
        _ plane0: UnsafePointer<UInt8>, _ plane1: UnsafePointer<UInt8>, _ plane2: UnsafePointer<UInt8>, stride: Int,
        width: Int, means: UnsafePointer<Float>, deviations: UnsafePointer<Float>, out: UnsafeMutablePointer<Float>
    )

    /// `input * scale + shift + residual`, and a ReLU.
    static func elementwiseSums(_ pixels: shims_elementwise, isReLU: Bool)

    /// The sigmoid function, in place.
    static func sigmoid(_ values: UnsafeMutablePointer<Float>, count: Int)

    /// The product of each value and its sigmoid function, in place.
    static func silu(_ values: UnsafeMutablePointer<Float>, count: Int)

    /// The scale and the shift of a BatchNorm with given statistics.
    static func normalizationFactors(
        mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, epsilon: Double, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, channels: Int, scale: UnsafeMutablePointer<Float>,
        shift: UnsafeMutablePointer<Float>
    )

    /// Adds pixels to a sum for each channel.
    static func addPixels(
        _ pixels: UnsafePointer<Float>, count: Int, stride: Int, channels: Int, sums: UnsafeMutablePointer<Double>)

    /// The same with the squares of differences.
    static func addSquaredDeviations(
        _ pixels: UnsafePointer<Float>, count: Int, stride: Int, channels: Int, means: UnsafePointer<Double>,
        sums: UnsafeMutablePointer<Double>
    )

    /// Adds the differences of pixels from an origin, and their squares, to sums for each channel.
    static func addDeviations(
        _ pixels: UnsafePointer<Float>, count: Int, channels: Int, origins: UnsafePointer<Double>,
        sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
    )

    /// One row of averages over windows of 2 x 2 pixels at stride 2.
    static func averagePoolingRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, channels: Int, out: UnsafeMutablePointer<Float>,
        outputWidth: Int
    )

    /// One row of a binomial filter of 3 x 3 pixels.
    static func blurRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, row2: UnsafePointer<Float>, width: Int, channels: Int,
        stride: Int, out: UnsafeMutablePointer<Float>, outputWidth: Int
    )

    /// The product of a matrix and a vector.
    static func matrixVectorProduct(
        _ matrix: UnsafePointer<Float>, rows: Int, columns: Int, vector: UnsafePointer<Float>,
        addend: UnsafePointer<Float>?, out: UnsafeMutablePointer<Float>
    )

    /// Pixels at any addresses to planes.
    static func transposePixels(
        _ pixels: UnsafePointer<UnsafePointer<Float>?>, count: Int, channels: Int, out: UnsafeMutablePointer<Float>,
        planeStride: Int
    )

    /// Output channels by the floats of a panel, summed up over pixels.
    static func gradientTile(
        height: Int, pixels: Int, gradients: UnsafePointer<Float>, step: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, isFirst: Bool
    )

    /// Transforms the output gradients of a tile.
    static func winogradGradient(
        _ gradients: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, out: UnsafeMutablePointer<Float>,
        pointStride: Int, scratch: UnsafeMutablePointer<Float>
    )

    /// Transforms sums of products of a panel into gradients of weights.
    static func winogradWeightGradient(
        _ sums: UnsafePointer<Float>, pointStride: Int, out: UnsafeMutablePointer<Float>, tapStride: Int, isFirst: Bool,
        scratch: UnsafeMutablePointer<Float>
    )

    /// Brings a panel's floats of pixels together.
    static func copyPanel(_ pixels: UnsafePointer<Float>, step: Int, count: Int, out: UnsafeMutablePointer<Float>)

    /// Brings a few floats of pixels together.
    static func copyNarrow(
        _ pixels: UnsafePointer<Float>, step: Int, count: Int, width: Int, out: UnsafeMutablePointer<Float>)

    /// Brings the taps of each channel together.
    static func orderTaps(
        _ sums: UnsafePointer<Float>, channels: Int, area: Int, out: UnsafeMutablePointer<Float>)

    /// Writes gradients times a factor, and sums up their products with weights.
    static func finishGradient(
        _ gradients: UnsafePointer<Float>, count: Int, factor: Float, accumulates: Bool,
        out: UnsafeMutablePointer<Float>?, weights: UnsafePointer<Float>?
    ) -> Double

    /// Masks gradients and adds them, and their products with what a norm has read, to sums for each channel.
    static func normGradientSums(
        _ row: shims_norm_gradient, sums: UnsafeMutablePointer<Double>, productSums: UnsafeMutablePointer<Double>
    )

    /// The gradient of a BatchNorm with respect to what it has read.
    static func normGradient(
        _ gradient: UnsafePointer<Float>, input: UnsafePointer<Float>, scale: UnsafePointer<Float>,
        shift: UnsafePointer<Float>, slope: UnsafePointer<Float>, mean: UnsafePointer<Float>, channels: Int,
        pixels: Int, out: UnsafeMutablePointer<Float>
    )

    /// A step of SGD.
    static func sgdStep(_ step: shims_sgd_step)

    /// A step of AdamW.
    static func adamWStep(_ step: shims_adamw_step)

    /// Multiplies and adds in registers, for benchmarks.
    static func multiplicationPeak(steps: Int, factors: UnsafePointer<Float>) -> Float
}

extension VectorInstructions {
    /// Floats of a panel that a tile reads from one request for memory to the next.
    static var floatsPerPrefetch: Int { columnsPerPrefetch * panelWidth }
}

/// The names of an instruction set's kernels, in plans and benchmarks. Literals, since callers of the C function keep them
/// as long as they like.
struct VectorKernelNames {
    let direct: StaticString
    let grouped: StaticString
    let winograd2: StaticString
    let winograd4: StaticString
    let winograd6: StaticString
    let maxPooling: StaticString
    let inputConversion: StaticString
    let elementwise: StaticString
    let batchNormalization: StaticString
    let batchStatistics: StaticString
    let groupNormalization: StaticString
    let globalPooling: StaticString
    let averagePooling: StaticString
    let blur: StaticString
    let linear: StaticString
    let outputConversion: StaticString
    let packing: StaticString
    let weightGradient: StaticString
    let winogradWeightGradient: StaticString
    let normGradientSums: StaticString
    let batchNormalizationGradient: StaticString
    let sgdStep: StaticString
    let adamWStep: StaticString
    let squaredSums: StaticString
}
