// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Networks

@_cdecl("backbone_architecture_count") @implementation
public func backbone_architecture_count() -> Int { ArchitectureTable.count }

@_cdecl("backbone_architecture_name") @implementation
public func backbone_architecture_name(_ index: Int) -> UnsafePointer<CChar>! {
    ArchitectureTable.row(index)?.cName
}
