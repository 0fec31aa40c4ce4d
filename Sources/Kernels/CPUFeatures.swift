// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Instruction sets that kernels are written for.
package struct CPUFeatures: OptionSet, BitwiseCopyable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// AVX2 and FMA.
    package static var avx2: CPUFeatures { CPUFeatures(rawValue: 1) }

    /// The parts of AVX-512 that all its server processors have had: F, BW, DQ and VL. Only ever beside AVX2 and FMA.
    package static var avx512: CPUFeatures { CPUFeatures(rawValue: 2) }

    /// What the CPU has and the operating system keeps the registers of.
    package static var detected: CPUFeatures {
        if shims_cpu_has_avx2_fma() == 0 { return [] }
        return shims_cpu_has_avx512() != 0 ? [.avx2, .avx512] : .avx2
    }

    /// What is detected without what the environment variable BACKBONE_DISABLE_CPU_FEATURES names: a list with commas,
    /// for tests of the kernels that this CPU would not choose.
    ///
    /// - Throws: `invalidArgument` for a name that is none.
    package static func usable() throws(BackboneError) -> CPUFeatures {
        var features = detected
        guard let list = shims_environment("BACKBONE_DISABLE_CPU_FEATURES") else { return features }
        var name = list
        while name.pointee != 0 {
            let length = strcspn(name, ",")
            switch length {
            case 0: break
            case 4 where strncmp(name, "avx2", 4) == 0: features.subtract([.avx2, .avx512])
            case 6 where strncmp(name, "avx512", 6) == 0: features.remove(.avx512)
            default:
                throw BackboneError(
                    .invalidArgument,
                    "BACKBONE_DISABLE_CPU_FEATURES is \(list), expected a list of: avx2, avx512")
            }
            name += Int(length)
            if name.pointee != 0 { name += 1 }
        }
        return features
    }
}
