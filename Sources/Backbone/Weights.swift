// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Networks
import Runtime

@_cdecl("backbone_init_weights") @implementation
public func backbone_init_weights(_ net: OpaquePointer!, _ seed: UInt64) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network throws(BackboneError) in try network.initializeWeights(seed: seed) }
    }
}
