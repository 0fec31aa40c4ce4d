// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The message for a folder: why it cannot be loaded, and which file to load instead.
///
/// - Parameter folder: its descriptor.
func folderMessage(_ folder: Int32) -> Message {
    func has(_ name: StaticString) -> Bool {
        shims_folder_has(folder, UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)) != 0
    }
    if has(".metadata") {
        return """
            folder of torch.distributed.checkpoint; write its state dict to a file with \
            torch.distributed.checkpoint.format_utils.dcp_to_torch_save(FOLDER, FILE) and load that
            """
    }
    if has("data.pkl") {
        return "folder of an unpacked checkpoint; load the .pth file that it was unpacked from"
    }
    let files: InlineArray<4, StaticString> = [
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    ]
    for index in 0..<files.count where has(files[index]) {
        return "folder, not a file; load its file \(files[index])"
    }
    if has("saved_model.pb") { return "folder of a TensorFlow SavedModel; load a .pth of the same network" }
    return "folder, not a file; pass the path of a checkpoint in it"
}
