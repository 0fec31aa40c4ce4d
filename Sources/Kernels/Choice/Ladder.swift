// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import KernelsAVX2
import KernelsAVX512
import Runtime

// The instruction sets that kernels are written for: the one place that lists them.

typealias AVX2 = KernelsAVX2.Leaves
typealias AVX512 = KernelsAVX512.Leaves

extension AVX2: VectorInstructions {
    static var names: VectorKernelNames {
        VectorKernelNames(
            direct: "convolutionF32_direct6x16_avx2", grouped: "convolutionF32_grouped6x16_avx2",
            winograd2: "convolutionF32_winograd2_avx2", winograd4: "convolutionF32_winograd4_avx2",
            winograd6: "convolutionF32_winograd6_avx2", maxPooling: "maxPoolingF32_avx2",
            inputConversion: "inputConversion_avx2", elementwise: "elementwiseF32_avx2",
            batchNormalization: "batchNormalizationF32_avx2", batchStatistics: "batchStatisticsF32_avx2",
            groupNormalization: "groupNormalizationF32_avx2", globalPooling: "globalPoolingF32_avx2",
            averagePooling: "averagePoolingF32_avx2", blur: "blurF32_avx2", linear: "linearF32_avx2",
            outputConversion: "outputConversion_avx2",
            packing: "weightPackingF32_avx2", weightGradient: "weightGradientF32_avx2",
            winogradWeightGradient: "weightGradientF32_winograd4_avx2",
            normGradientSums: "normGradientSumsF32_avx2",
            batchNormalizationGradient: "batchNormalizationGradientF32_avx2",
            sgdStep: "sgdStepF32_avx2",
            adamWStep: "adamWStepF32_avx2", squaredSums: "squaredSumsF32_avx2")
    }
}

extension AVX512: VectorInstructions {
    static var names: VectorKernelNames {
        VectorKernelNames(
            direct: "convolutionF32_direct6x32_avx512", grouped: "convolutionF32_grouped6x32_avx512",
            winograd2: "convolutionF32_winograd2_avx512", winograd4: "convolutionF32_winograd4_avx512",
            winograd6: "convolutionF32_winograd6_avx512", maxPooling: "maxPoolingF32_avx512",
            inputConversion: "inputConversion_avx512", elementwise: "elementwiseF32_avx512",
            batchNormalization: "batchNormalizationF32_avx512", batchStatistics: "batchStatisticsF32_avx512",
            groupNormalization: "groupNormalizationF32_avx512", globalPooling: "globalPoolingF32_avx512",
            averagePooling: "averagePoolingF32_avx512", blur: "blurF32_avx512", linear: "linearF32_avx512",
            outputConversion: "outputConversion_avx512",
            packing: "weightPackingF32_avx512", weightGradient: "weightGradientF32_avx512",
            winogradWeightGradient: "weightGradientF32_winograd4_avx512",
            normGradientSums: "normGradientSumsF32_avx512",
            batchNormalizationGradient: "batchNormalizationGradientF32_avx512",
            sgdStep: "sgdStepF32_avx512",
            adamWStep: "adamWStepF32_avx512", squaredSums: "squaredSumsF32_avx512")
    }
}

/// The instruction sets, best first. A CPU is on a rung if it has the instructions of that one and of all below.
package enum Ladder {
    package static var count: Int { 2 }

    // Not an array: one of generic type would ask the Swift runtime for metadata, which allocates.
    package static subscript(index: Int) -> Rung {
        switch index {
        case 0:
            // The parts of AVX-512 that all its server processors have had: F, BW, DQ and VL.
            Rung(
                "avx512", AVX512.self, isPresent: { shims_cpu_has_avx512() != 0 },
                table: {
                    .vector(
                        AVX2.self, ConvolutionKernels(.vector(AVX2.self), wide: .vector(AVX512.self)),
                        .vector(AVX2.self, products: AVX512.self))
                })
        default:
            // With FMA.
            Rung(
                "avx2", AVX2.self, isPresent: { shims_cpu_has_avx2_fma() != 0 },
                table: {
                    .vector(
                        AVX2.self, ConvolutionKernels(.vector(AVX2.self)), .vector(AVX2.self, products: AVX2.self))
                })
        }
    }
}

/// An instruction set.
package struct Rung: Sendable {
    /// How BACKBONE_DISABLE_CPU_FEATURES names it.
    package let name: StaticString
    /// Floats of a vector.
    package let lanes: Int
    /// See the leaf function; for benchmarks.
    package let multiplicationPeak: @Sendable (_ steps: Int, _ factors: UnsafePointer<Float>) -> Float
    /// Whether the CPU has the instructions and the operating system keeps the registers.
    let isPresent: @Sendable () -> Bool
    /// The kernels for a CPU that has this instruction set and those below.
    let table: @Sendable () -> KernelTable
    /// All kernels in its own vectors, for tests.
    let ownTable: @Sendable () -> KernelTable

    fileprivate init<Instructions: VectorInstructions>(
        _ name: StaticString, _: Instructions.Type, isPresent: @escaping @Sendable () -> Bool,
        table: @escaping @Sendable () -> KernelTable
    ) {
        self.name = name
        self.isPresent = isPresent
        self.table = table
        lanes = Instructions.lanes
        multiplicationPeak = { Instructions.multiplicationPeak(steps: $0, factors: $1) }
        ownTable = {
            .vector(
                Instructions.self, ConvolutionKernels(.vector(Instructions.self)),
                .vector(Instructions.self, products: Instructions.self))
        }
    }
}

extension Ladder {
    /// The rung that the CPU is on, `count` if none.
    static var detected: Int {
        var best = count
        while best > 0 && Ladder[best - 1].isPresent() { best -= 1 }
        return best
    }

    /// The rung to use: the detected one, unless the environment variable BACKBONE_DISABLE_CPU_FEATURES, a list with
    /// commas, disables it or one below, for tests of the kernels that this CPU would not choose. `count` if none.
    ///
    /// - Throws: `invalidArgument` for an unknown name.
    static func usable() throws(BackboneError) -> Int {
        var best = detected
        guard let list = shims_environment("BACKBONE_DISABLE_CPU_FEATURES") else { return best }
        var name = list
        while name.pointee != 0 {
            let length = Int(strcspn(name, ","))
            if length > 0 {
                guard let disabled = index(ofName: name, length: length) else { throw unknownName(list) }
                best = max(best, disabled + 1)
            }
            name += length
            if name.pointee != 0 { name += 1 }
        }
        return best
    }

    /// The best usable rung; nil if none.
    ///
    /// - Throws: See `usable`.
    package static func best() throws(BackboneError) -> Rung? {
        let index = try usable()
        return index < count ? Ladder[index] : nil
    }

    private static func index(ofName name: UnsafePointer<CChar>, length: Int) -> Int? {
        for index in 0..<count where Ladder[index].name.utf8CodeUnitCount == length {
            if memcmp(name, Ladder[index].name.utf8Start, length) == 0 { return index }
        }
        return nil
    }

    private static func unknownName(_ list: UnsafePointer<CChar>) -> BackboneError {
        var names = Message()
        for index in (0..<count).reversed() {
            names.append(Ladder[index].name)
            if index > 0 { names.append(", ") }
        }
        return BackboneError(
            .invalidArgument, "BACKBONE_DISABLE_CPU_FEATURES is \(list), expected a list of: \(names)")
    }
}

extension KernelTable {
    /// The fastest table that the CPU at hand can run.
    ///
    /// - Throws: `invalidArgument`, see `Ladder.usable`; `io` where the portable kernels have no OpenBLAS.
    package static func best() throws(BackboneError) -> KernelTable {
        if let rung = try Ladder.best() { return rung.table() }
        try OpenBLAS.load()
        return .portable
    }
}
