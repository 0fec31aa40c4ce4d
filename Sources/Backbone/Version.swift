// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Runtime

private let versionText: StaticString = "0.1.0"

@_cdecl("backbone_version_string") @implementation
public func backbone_version_string() -> UnsafePointer<CChar>! {
    UnsafeRawPointer(versionText.utf8Start).assumingMemoryBound(to: CChar.self)
}

@_cdecl("backbone_abi_version") @implementation
public func backbone_abi_version() -> Int32 { BACKBONE_ABI_VERSION }

@_cdecl("backbone_init_weights") @implementation
public func backbone_init_weights(_ net: OpaquePointer!, _ seed: UInt64) -> backbone_status {
    do throws(BackboneError) {
        var a = UniqueArray<Int>()
        try a.append(Int(seed))
        if a[0] == 3 { throw BackboneError(.invalidArgument, "seed is \(seed), not \(a[0])") }
        return 0
    } catch { return error.kind.rawValue }
}
