// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Networks
import Runtime

@_cdecl("backbone_freeze") @implementation
public func backbone_freeze(_ net: OpaquePointer!, _ frozen_stages: Int32) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network throws(BackboneError) in try network.freeze(frozen_stages) }
    }
}

@_cdecl("backbone_set_trainable") @implementation
public func backbone_set_trainable(_ net: OpaquePointer!, _ which: Int32) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        guard let trainables = Trainables(rawValue: which) else {
            throw BackboneError(.invalidArgument, "which is \(which), expected 0 (all), 1 (norms) or 2 (head)")
        }
        try session.changing { network throws(BackboneError) in try network.train(trainables) }
    }
}

@_cdecl("backbone_set_training") @implementation
public func backbone_set_training(_ net: OpaquePointer!, _ training: Int32) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let training = try requireFlag(training, "training")
        try session.changing { network in network.setTraining(training) }
    }
}

@_cdecl("backbone_get_training") @implementation
public func backbone_get_training(_ net: OpaquePointer!, _ out: UnsafeMutablePointer<Int32>!) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try require(out, "out").pointee = session.reading { $0.isTraining ? 1 : 0 }
    }
}
