// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Writes `{'state_dict': ..., 'optimizer': ...}` as `torch.save` does. The file appears at `path` only when it is complete.
///
/// - Throws: `invalidArgument` for a path with another suffix, or for more than 4 GB; `fileNotFound` for a
///   missing folder, `io`, `outOfMemory`; an existing file is then unchanged.
package func writeTrainingCheckpoint(
    _ tensors: borrowing UniqueArray<TensorSource>, _ optimizer: borrowing OptimizerSource,
    to path: UnsafePointer<CChar>
) throws(BackboneError) {
    do throws(BackboneError) {
        guard Container(forWriting: path) == .zip else {
            throw BackboneError(
                .invalidArgument,
                "this format cannot store optimizer state; choose a name that ends in .pth, .pt, .bin or .pth.tar")
        }
        var pickle = try PickleWriter()
        try pickle.write(.emptyDict)
        try pickle.write(.mark)
        try pickle.write(text: bytes(of: "state_dict"))
        try pickle.write(stateDict: tensors.elements)
        try pickle.write(text: bytes(of: "optimizer"))
        try pickle.write(optimizer, firstStorage: tensors.count)
        try pickle.write(.setItems)
        var archive = try TorchArchive(path: path, pickle.finish())
        for tensor in tensors.elements { try archive.add(tensor) }
        for tensor in optimizer.tensors.elements { try archive.add(tensor) }
        try archive.finish()
    } catch {
        throw error.located(in: path)
    }
}

extension PickleWriter {
    /// `{'state': {i: {...}}, 'param_groups': [{..., 'params': [i]}]}`
    fileprivate mutating func write(
        _ optimizer: borrowing OptimizerSource, firstStorage: Int
    ) throws(BackboneError) {
        try write(.emptyDict)
        try write(.mark)
        try write(text: Runtime.bytes(of: "state"))
        try write(stateOf: optimizer, firstStorage: firstStorage)
        try write(text: Runtime.bytes(of: "param_groups"))
        try write(groupsOf: optimizer)
        try write(.setItems)
    }

    private mutating func write(
        stateOf optimizer: borrowing OptimizerSource, firstStorage: Int
    ) throws(BackboneError) {
        try write(.emptyDict)
        try write(.mark)
        var next = 0
        for parameter in 0..<optimizer.tensorEnds.count where optimizer.tensorEnds[parameter] > next {
            try write(natural: parameter)
            try write(.emptyDict)
            try write(.mark)
            while next < optimizer.tensorEnds[parameter] {
                try write(text: optimizer.tensors[next].name)
                try write(optimizer.tensors[next], storage: firstStorage + next)
                next += 1
            }
            try write(.setItems)
        }
        try write(.setItems)
    }

    private mutating func write(groupsOf optimizer: borrowing OptimizerSource) throws(BackboneError) {
        try write(.emptyList)
        try write(.mark)
        var parameter = 0
        for group in optimizer.groups.elements {
            try write(.emptyDict)
            try write(.mark)
            for index in group.firstOption..<group.firstOption + group.optionCount {
                try write(text: Runtime.bytes(of: optimizer.options[index].name))
                try write(optimizer.options[index].value)
            }
            try write(text: Runtime.bytes(of: "params"))
            try write(.emptyList)
            try write(.mark)
            for _ in 0..<group.parameterCount {
                try write(natural: parameter)
                parameter += 1
            }
            try write(.appends)
            try write(.setItems)
        }
        try write(.appends)
    }

    private mutating func write(_ value: OptimizerSource.Value) throws(BackboneError) {
        switch value {
        case .none: try write(Opcode.none)
        case .boolean(let isTrue): try write(isTrue ? .newTrue : .newFalse)
        case .number(let number): try write(number)
        case .pair(let first, let second):
            try write(first)
            try write(second)
            try write(.tuple2)
        }
    }
}
