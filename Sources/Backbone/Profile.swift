// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Execution
import Networks
import Runtime

@_cdecl("backbone_profile") @implementation
public func backbone_profile(
    _ net: OpaquePointer!, _ input: UnsafePointer<backbone_tensor>!, _ outputs: UnsafePointer<backbone_tensor>!,
    _ count: Int, _ out: UnsafeMutablePointer<backbone_layer>!, _ capacity: Int,
    _ out_count: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let cancellation = session.enter()
        let outCount = try require(out_count, "out_count")
        let arguments = try forwardArguments(session, input, outputs, count)
        let capacity = out == nil ? nil : max(capacity, 0)
        outCount.pointee = try session.profile(arguments, capacity: capacity, cancellation) {
            network, step, profile in
            out?[step] = backbone_layer(network, profile)
        }
    }
}

extension backbone_layer {
    fileprivate init(_ network: borrowing Network, _ profile: StepProfile) {
        self.init()
        kernel = UnsafeRawPointer(profile.kernel.utf8Start).assumingMemoryBound(to: CChar.self)
        for index in 0..<4 {
            withUnsafeMutableBytes(of: &input_shape) { sizes in
                sizes.storeBytes(of: Int64(profile.inputShape[index]), toByteOffset: 8 * index, as: Int64.self)
            }
            withUnsafeMutableBytes(of: &output_shape) { sizes in
                sizes.storeBytes(of: Int64(profile.outputShape[index]), toByteOffset: 8 * index, as: Int64.self)
            }
        }
        operations = Int64(profile.operations)
        bytes = Int64(profile.bytes)
        nanoseconds = Int64(profile.nanoseconds)
        withUnsafeMutableBytes(of: &name) { name in
            switch profile.kind {
            case .input: Self.write("input", to: name)
            case .node(let node):
                let module = network.graph.name(ofNode: node)
                if module.isEmpty {
                    Self.write(network.graph.nodes[node].operation.name, to: name)
                } else {
                    Self.write(module, to: name)
                }
            case .output(let output):
                Self.write("output.", to: name)
                let rest = UnsafeMutableRawBufferPointer(rebasing: name.dropFirst("output.".utf8.count))
                Self.write(network.graph.outputs[output].name, to: rest)
            }
        }
    }

    private static func write(_ text: StaticString, to name: UnsafeMutableRawBufferPointer) {
        write(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), to: name)
    }

    /// Writes as much of a text as fits before the terminating zero, which is already set.
    private static func write(_ text: UnsafeBufferPointer<UInt8>, to name: UnsafeMutableRawBufferPointer) {
        for index in 0..<min(text.count, name.count - 1) { name[index] = text[index] }
    }
}
