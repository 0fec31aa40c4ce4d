// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Kernels
import Networks
import Runtime

@_cdecl("backbone_forward_train") @implementation
public func backbone_forward_train(
    _ net: OpaquePointer!, _ tape: OpaquePointer!, _ input: UnsafePointer<backbone_tensor>!,
    _ outputs: UnsafePointer<backbone_tensor>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, tape) = (try session(net), try requireTape(tape))
        let cancellation = session.enter()
        try session.forwardTrain(tape, try forwardArguments(session, input, outputs, count), cancellation)
    }
}

@_cdecl("backbone_backward") @implementation
public func backbone_backward(
    _ net: OpaquePointer!, _ tape: OpaquePointer!, _ output_gradients: UnsafePointer<backbone_tensor>!, _ count: Int,
    _ input_gradient: UnsafePointer<backbone_tensor>!, _ gradients: UnsafeMutablePointer<Float>!,
    _ gradient_count: Int, _ flags: UInt32
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, tape) = (try session(net), try requireTape(tape))
        let cancellation = session.enter()
        guard flags & ~UInt32(BACKBONE_BACKWARD_ACCUMULATE) == 0 else {
            throw BackboneError(.invalidArgument, "flags is \(flags), expected 0 or 1 (accumulate)")
        }
        let outputs = try outputViews(session, output_gradients, count, "output_gradients")
        var inputGradient: TensorView?
        if let input_gradient { inputGradient = try TensorView(input_gradient.pointee, "input_gradient") }
        let arguments = BackwardArguments(
            outputGradients: outputs, inputGradient: inputGradient, gradients: gradients,
            accumulates: flags & UInt32(BACKBONE_BACKWARD_ACCUMULATE) != 0)
        try session.backward(tape, arguments, count: gradient_count, cancellation)
    }
}

@_cdecl("backbone_feature_gradients") @implementation
public func backbone_feature_gradients(
    _ net: OpaquePointer!, _ tape: OpaquePointer!, _ output_gradients: UnsafePointer<backbone_tensor>!, _ count: Int,
    _ feature_gradients: UnsafePointer<backbone_tensor>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, tape) = (try session(net), try requireTape(tape))
        let cancellation = session.enter()
        let arguments = BackwardArguments(
            outputGradients: try outputViews(session, output_gradients, count, "output_gradients"),
            featureGradients: try outputViews(session, feature_gradients, count, "feature_gradients"),
            inputGradient: nil, gradients: nil, accumulates: false)
        try session.backward(tape, arguments, count: 0, cancellation)
    }
}

/// Gradients of outputs as callers pass them; one without data is missing, or not wanted.
private func outputViews(
    _ session: Session, _ tensors: UnsafePointer<backbone_tensor>?, _ count: Int, _ name: StaticString
) throws(BackboneError) -> OutputViews {
    let tensors = try require(tensors, name)
    try session.configuration.checkOutputCount(count)
    let nothing = Dimensions(0, 0, 0, 0)
    var views = OutputViews(
        repeating: TensorView(data: nil, element: .float32, shape: nothing, strides: nothing))
    for index in 0..<count where tensors[index].data != nil {
        views[index] = try TensorView(tensors[index], "\(name)[\(index)]")
    }
    return views
}

// MARK: - Trainable parameters

@_cdecl("backbone_trainable_count") @implementation
public func backbone_trainable_count(_ net: OpaquePointer!, _ out: UnsafeMutablePointer<Int>!) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try require(out, "out").pointee = session.reading { $0.trainableCount }
    }
}

@_cdecl("backbone_trainable_slot") @implementation
public func backbone_trainable_slot(
    _ net: OpaquePointer!, _ index: Int, _ offset: UnsafeMutablePointer<Int>!, _ count: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let (offset, count) = (try require(offset, "offset"), try require(count, "count"))
        try session.reading { network throws(BackboneError) in
            let entry = try network.checkedEntry(index)
            let isTrainable = network.isTrainable(entry)
            offset.pointee = isTrainable ? network.trainableOffset(ofEntry: index) : 0
            count.pointee = isTrainable ? entry.elementCount : 0
        }
    }
}

@_cdecl("backbone_read_trainable") @implementation
public func backbone_read_trainable(
    _ net: OpaquePointer!, _ out: UnsafeMutablePointer<Float>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        try session.readingValues { network throws(BackboneError) in
            try checkTrainable(count, network.trainableCount)
            network.readTrainable(into: out)
        }
    }
}

@_cdecl("backbone_write_trainable") @implementation
public func backbone_write_trainable(
    _ net: OpaquePointer!, _ values: UnsafePointer<Float>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let values = try require(values, "values")
        try session.changing { network throws(BackboneError) in
            try checkTrainable(count, network.trainableCount)
            try network.requireValues(.none)
            network.writeTrainable(from: values)
        }
    }
}

private func checkTrainable(_ count: Int, _ expected: Int) throws(BackboneError) {
    guard count == expected else {
        throw BackboneError(
            .invalidArgument, "count is \(count), expected \(expected); call backbone_trainable_count")
    }
}
