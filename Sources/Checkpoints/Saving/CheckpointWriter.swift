// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Writes tensors to a file, which appears at `path` only when it is complete: as `torch.save` does if the path has a
/// suffix of its files, else as safetensors.
///
/// - Throws: `fileNotFound` for a missing folder, `io`, `outOfMemory`; an existing file is then unchanged.
package func writeCheckpoint(
    _ tensors: borrowing UniqueArray<TensorSource>, to path: UnsafePointer<CChar>
) throws(BackboneError) {
    do throws(BackboneError) {
        switch Container(forWriting: path) {
        case .zip: try writeTorchZip(tensors.elements, to: path)
        default: try writeSafetensors(tensors.elements, to: path)
        }
    } catch {
        throw error.located(in: path)
    }
}

extension Container {
    /// The format for a path, from its suffix in upper or lower case.
    init(forWriting path: UnsafePointer<CChar>) {
        let length = strlen(path)
        func ends(_ ending: StaticString) -> Bool {
            let ending = bytes(of: ending)
            guard length >= ending.count else { return false }
            for index in 0..<ending.count {
                let byte = UInt8(bitPattern: path[length - ending.count + index])
                let isUppercase = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                if (isUppercase ? byte | 0x20 : byte) != ending[index] { return false }
            }
            return true
        }
        self = ends(".pth") || ends(".pt") || ends(".bin") || ends(".pth.tar") ? .zip : .safetensors
    }
}
