// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Kernels
import Networks
import Runtime

@_cdecl("backbone_output_shapes") @implementation
public func backbone_output_shapes(
    _ net: OpaquePointer!, _ input_shape: UnsafePointer<Int64>!,
    _ out: UnsafeMutablePointer<Int64>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let sizes = try require(input_shape, "input_shape")
        let out = try require(out, "out")
        let shape = Dimensions(Int(sizes[0]), Int(sizes[1]), Int(sizes[2]), Int(sizes[3]))
        try session.reading { network throws(BackboneError) in
            try network.checkInputShape(shape)
            try network.checkSums(shape)
            try network.configuration.checkOutputCount(count)
            for output in 0..<count {
                let features = network.outputShape(output, input: shape)
                for index in 0..<4 { out[4 * output + index] = Int64(features[index]) }
            }
        }
    }
}

@_cdecl("backbone_forward") @implementation
public func backbone_forward(
    _ net: OpaquePointer!, _ input: UnsafePointer<backbone_tensor>!, _ outputs: UnsafePointer<backbone_tensor>!,
    _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let cancellation = session.enter()
        try session.forward(try forwardArguments(session, input, outputs, count), cancellation)
    }
}

// No `status(of:)`: in a signal handler a message could overwrite that of the interrupted call, or allocate memory.
@_cdecl("backbone_cancel") @implementation
public func backbone_cancel(_ net: OpaquePointer!) -> backbone_status {
    guard let net else { return backbone_status(BACKBONE_STATUS_INVALID_ARGUMENT) }
    Session(handle: net).cancel()
    return backbone_status(BACKBONE_STATUS_OK)
}

/// The arguments of a forward pass as callers pass them.
func forwardArguments(
    _ session: Session, _ input: UnsafePointer<backbone_tensor>?, _ outputs: UnsafePointer<backbone_tensor>?,
    _ count: Int
) throws(BackboneError) -> ForwardArguments {
    let input = try TensorView(try require(input, "input").pointee, "input")
    let outputs = try require(outputs, "outputs")
    try session.configuration.checkOutputCount(count)
    var views = OutputViews(repeating: input)
    for index in 0..<count { views[index] = try TensorView(outputs[index], "outputs[\(index)]") }
    return ForwardArguments(input: input, outputs: views)
}

extension TensorView {
    /// A caller's descriptor; its addresses are checked later, against the network.
    init(_ tensor: backbone_tensor, _ name: Message) throws(BackboneError) {
        let element: InputElement
        switch Int(tensor.dtype) {
        case Int(BACKBONE_DTYPE_FLOAT32): element = .float32
        case Int(BACKBONE_DTYPE_UINT8): element = .uint8
        default:
            throw BackboneError(
                .invalidArgument, "\(name).dtype is \(tensor.dtype), expected 0 (float32), or 1 (uint8) for an input")
        }
        guard tensor.reserved == 0 else {
            throw BackboneError(.invalidArgument, "\(name).reserved is \(tensor.reserved), expected 0")
        }
        self.init(
            data: tensor.data, element: element, shape: Dimensions(tensor.shape),
            strides: Dimensions(tensor.strides))
    }
}

extension Dimensions {
    fileprivate init(_ sizes: (Int64, Int64, Int64, Int64)) {
        self.init(Int(sizes.0), Int(sizes.1), Int(sizes.2), Int(sizes.3))
    }
}
