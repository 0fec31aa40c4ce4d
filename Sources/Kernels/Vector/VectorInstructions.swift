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

    /// Transforms the weights of an input channel for the output channels of a panel.
    static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Double>
    )

    /// Transforms a square of input pixels.
    static func winogradInput(
        m: Int, stride: Int, source: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, channels: Int,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Float>
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

enum AVX2: VectorInstructions {
    static var lanes: Int { KernelsAVX2.lanes }
    static var panelWidth: Int { KernelsAVX2.panelWidth }
    static var mostProductRows: Int { KernelsAVX2.mostProductRows }
    static var columnsPerPrefetch: Int { KernelsAVX2.columnsPerPrefetch }

    @inline(__always)
    static func convolutionTile(
        height: Int, _ panel: shims_convolution_panel, inputs: UnsafePointer<UnsafePointer<Float>>,
        residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
        prefetch: UnsafeRawPointer, prefetchStep: Int
    ) {
        KernelsAVX2.convolutionTile(
            height: height, panel, inputs: inputs, residuals: residuals, outputs: outputs, prefetch: prefetch,
            prefetchStep: prefetchStep)
    }

    @inline(__always)
    static func productTile(
        height: Int, a: UnsafePointer<Float>, aStride: Int, depth: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, prefetch: UnsafeRawPointer, prefetchStep: Int
    ) {
        KernelsAVX2.productTile(
            height: height, a: a, aStride: aStride, depth: depth, panel: panel, out: out, prefetch: prefetch,
            prefetchStep: prefetchStep)
    }

    @inline(__always)
    static func packPanel(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX2.packPanel(weights: weights, rowStride: rowStride, count: count, scale: scale, out: out)
    }

    @inline(__always)
    static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Double>
    ) {
        KernelsAVX2.winogradWeights(
            m: m, stride: stride, weights: weights, outputStride: outputStride, scale: scale, out: out,
            pointStride: pointStride, scratch: scratch)
    }

    @inline(__always)
    static func winogradInput(
        m: Int, stride: Int, source: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, channels: Int,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX2.winogradInput(
            m: m, stride: stride, source: source, rowStride: rowStride, pixelStride: pixelStride, channels: channels,
            out: out, pointStride: pointStride, scratch: scratch)
    }

    @inline(__always)
    static func winogradOutput(
        m: Int, stride: Int, products: UnsafePointer<Float>, pointStride: Int, _ target: shims_winograd_output,
        scratch: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX2.winogradOutput(
            m: m, stride: stride, products: products, pointStride: pointStride, target, scratch: scratch)
    }
}

enum AVX512: VectorInstructions {
    static var lanes: Int { KernelsAVX512.lanes }
    static var panelWidth: Int { KernelsAVX512.panelWidth }
    static var mostProductRows: Int { KernelsAVX512.mostProductRows }
    static var columnsPerPrefetch: Int { KernelsAVX512.columnsPerPrefetch }

    @inline(__always)
    static func convolutionTile(
        height: Int, _ panel: shims_convolution_panel, inputs: UnsafePointer<UnsafePointer<Float>>,
        residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
        prefetch: UnsafeRawPointer, prefetchStep: Int
    ) {
        KernelsAVX512.convolutionTile(
            height: height, panel, inputs: inputs, residuals: residuals, outputs: outputs, prefetch: prefetch,
            prefetchStep: prefetchStep)
    }

    @inline(__always)
    static func productTile(
        height: Int, a: UnsafePointer<Float>, aStride: Int, depth: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, prefetch: UnsafeRawPointer, prefetchStep: Int
    ) {
        KernelsAVX512.productTile(
            height: height, a: a, aStride: aStride, depth: depth, panel: panel, out: out, prefetch: prefetch,
            prefetchStep: prefetchStep)
    }

    @inline(__always)
    static func packPanel(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX512.packPanel(weights: weights, rowStride: rowStride, count: count, scale: scale, out: out)
    }

    @inline(__always)
    static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Double>
    ) {
        KernelsAVX512.winogradWeights(
            m: m, stride: stride, weights: weights, outputStride: outputStride, scale: scale, out: out,
            pointStride: pointStride, scratch: scratch)
    }

    @inline(__always)
    static func winogradInput(
        m: Int, stride: Int, source: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, channels: Int,
        out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX512.winogradInput(
            m: m, stride: stride, source: source, rowStride: rowStride, pixelStride: pixelStride, channels: channels,
            out: out, pointStride: pointStride, scratch: scratch)
    }

    @inline(__always)
    static func winogradOutput(
        m: Int, stride: Int, products: UnsafePointer<Float>, pointStride: Int, _ target: shims_winograd_output,
        scratch: UnsafeMutablePointer<Float>
    ) {
        KernelsAVX512.winogradOutput(
            m: m, stride: stride, products: products, pointStride: pointStride, target, scratch: scratch)
    }
}
