// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Kernels
import Runtime
import Training

/// The optimiser of a handle.
func requireOptimizer(_ optimizer: OpaquePointer?) throws(BackboneError) -> SessionOptimizer {
    SessionOptimizer(handle: try require(optimizer, "optimizer"))
}

@_cdecl("backbone_optimizer_create") @implementation
public func backbone_optimizer_create(
    _ net: OpaquePointer!, _ options: UnsafePointer<backbone_optimizer_options>!,
    _ out: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out, "out")
        out.pointee = nil
        let session = try session(net)
        let options: UnsafePointer<backbone_optimizer_options>? = options
        out.pointee =
            try SessionOptimizer(session) { () throws(BackboneError) in try OptimizerOptions(options) }.handle
    }
}

@_cdecl("backbone_optimizer_free") @implementation
public func backbone_optimizer_free(_ optimizer: OpaquePointer!) {
    guard let optimizer else { return }
    SessionOptimizer(handle: optimizer).destroy()
}

@_cdecl("backbone_optimizer_step") @implementation
public func backbone_optimizer_step(
    _ net: OpaquePointer!, _ optimizer: OpaquePointer!, _ gradients: UnsafePointer<Float>!, _ count: Int,
    _ learning_rate: Double, _ flags: UInt32
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, optimizer) = (try session(net), try requireOptimizer(optimizer))
        let gradients = try require(gradients, "gradients")
        guard flags & ~UInt32(BACKBONE_STEP_ALLOW_NOT_FINITE) == 0 else {
            throw BackboneError(.invalidArgument, "flags is \(flags), expected 0 or 1 (allow not finite)")
        }
        try optimizer.step(
            session, gradients: gradients, count: count, learningRate: learning_rate,
            allowNotFinite: flags & UInt32(BACKBONE_STEP_ALLOW_NOT_FINITE) != 0)
    }
}

@_cdecl("backbone_optimizer_follow") @implementation
public func backbone_optimizer_follow(_ net: OpaquePointer!, _ optimizer: OpaquePointer!) -> backbone_status {
    status { () throws(BackboneError) in try requireOptimizer(optimizer).follow(try session(net)) }
}

@_cdecl("backbone_clip_gradients") @implementation
public func backbone_clip_gradients(
    _ net: OpaquePointer!, _ gradients: UnsafeMutablePointer<Float>!, _ count: Int, _ max_norm: Double,
    _ out_norm: UnsafeMutablePointer<Double>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        // C's type has no sign.
        guard count >= 0 else {
            throw BackboneError(
                .invalidArgument,
                "count is \(UInt64(UInt(bitPattern: count))), more than fits into memory; pass the number of gradients")
        }
        let gradients: UnsafeMutablePointer<Float>? = try count == 0 ? nil : require(gradients, "gradients")
        let norm: UnsafeMutablePointer<Double>? = out_norm
        try session.sharing { pool throws(BackboneError) in
            let value = try clipGradients(
                gradients, count: count, maxNorm: max_norm, kernels: session.kernels.optimizers, pool: pool)
            norm?.pointee = value
        }
    }
}

// MARK: - Files

@_cdecl("backbone_save_training") @implementation
public func backbone_save_training(
    _ net: OpaquePointer!, _ optimizer: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ learning_rate: Double
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, optimizer) = (try session(net), try requireOptimizer(optimizer))
        try optimizer.save(session, learningRate: learning_rate, to: try require(path, "path"))
    }
}

@_cdecl("backbone_load_training") @implementation
public func backbone_load_training(
    _ net: OpaquePointer!, _ optimizer: OpaquePointer!, _ path: UnsafePointer<CChar>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let (session, optimizer) = (try session(net), try requireOptimizer(optimizer))
        try loadTraining(session, optimizer, try require(path, "path"), session.enter(), out_report)
    }
}
