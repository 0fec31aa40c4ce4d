// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The state of an optimizer to write as PyTorch's `state_dict()`: groups of parameters with their options, and the
/// state of each parameter.
package struct OptimizerSource: ~Copyable {
    /// The value of an option.
    package enum Value: BitwiseCopyable, Sendable {
        case none
        case boolean(Bool)
        case number(Double)
        case pair(Double, Double)
    }

    struct Option: BitwiseCopyable {
        let name: StaticString
        let value: Value
    }

    struct Group: BitwiseCopyable {
        let firstOption: Int
        var optionCount = 0
        var parameterCount = 0
    }

    private(set) var groups = UniqueArray<Group>()
    private(set) var options = UniqueArray<Option>()
    /// The tensors of all parameters, one after the other.
    private(set) var tensors = UniqueArray<TensorSource>()
    /// The end of each parameter's tensors, for the parameters of all groups.
    private(set) var tensorEnds = UniqueArray<Int>()

    package init() {}

    /// Begins a group for the following options and parameters.
    package mutating func beginGroup() throws(BackboneError) {
        try groups.append(Group(firstOption: options.count))
    }

    package mutating func addOption(_ name: StaticString, _ value: Value) throws(BackboneError) {
        precondition(!groups.isEmpty)
        try options.append(Option(name: name, value: value))
        groups[groups.count - 1].optionCount += 1
    }

    /// Adds a parameter for the following tensors.
    package mutating func addParameter() throws(BackboneError) {
        precondition(!groups.isEmpty)
        try tensorEnds.append(tensors.count)
        groups[groups.count - 1].parameterCount += 1
    }

    /// - Parameter tensor: named by its key; its borrowed memory must live until the file is written.
    package mutating func addTensor(_ tensor: TensorSource) throws(BackboneError) {
        precondition(!tensorEnds.isEmpty)
        try tensors.append(tensor)
        tensorEnds[tensorEnds.count - 1] = tensors.count
    }
}
