// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims

@_cdecl("backbone_version_string") @implementation
public func backbone_version_string() -> UnsafePointer<CChar>! { shims_version_string() }

@_cdecl("backbone_abi_version") @implementation
public func backbone_abi_version() -> Int32 { BACKBONE_ABI_VERSION }
