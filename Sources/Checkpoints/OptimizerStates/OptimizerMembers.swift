// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

private func unusable(_ message: Message) -> BackboneError {
    BackboneError(.badCheckpoint, "\(message); save optimizer.state_dict() with torch.save")
}

/// The parts of an optimizer's state dict, `{'state': {i: {...}}, 'param_groups': [{'params': [i], ...}]}`, as values of a
/// pickle. It follows references only for these levels, so cycles do no harm.
struct OptimizerMembers: ~Copyable {
    /// The number of parameters of each group.
    let groups: UniqueArray<Int>
    /// The options of each group.
    let options: UniqueArray<OptimizerGroupOptions>
    /// The dict of each parameter's state, in the order of the groups; none if it is missing.
    let values: UniqueArray<UInt32>

    init(_ pickle: borrowing Pickle) throws(BackboneError) {
        let dict = try OptimizerMembers.find(in: pickle)
        var groups = UniqueArray<Int>()
        var options = UniqueArray<OptimizerGroupOptions>()
        let keys = try OptimizerMembers.parameters(of: dict, pickle, &groups, &options)
        let state = try OptimizerMembers.part("state", of: dict, pickle)
        let values = try OptimizerMembers.values(of: keys, in: state, pickle)
        self.groups = groups
        self.options = options
        self.values = values
    }

    /// The optimizer's dict: under one of the usual keys, or the checkpoint itself.
    private static func find(in pickle: borrowing Pickle) throws(BackboneError) -> UInt32 {
        let root = pickle.root
        if pickle.value(of: "param_groups", in: root) != nil { return root }
        var found = pickle.value(of: "optimizer", in: root)
        if found == nil { found = pickle.value(of: "optimizer_state_dict", in: root) }
        if found == nil { found = pickle.value(of: "optim", in: root) }
        guard let found else {
            throw BackboneError(
                .badCheckpoint,
                "it has no optimizer state, expected one under 'optimizer', 'optimizer_state_dict' or 'optim'")
        }
        guard pickle[found].kind == .dict else {
            throw unusable("its optimizer is \(pickle.describe(found)), expected a dict")
        }
        return found
    }

    private static func part(
        _ key: StaticString, of dict: UInt32, _ pickle: borrowing Pickle
    ) throws(BackboneError) -> UInt32 {
        guard let value = pickle.value(of: key, in: dict) else {
            throw unusable("its optimizer state has no '\(key)'")
        }
        return value
    }

    /// The keys of all parameters, which are integers, in the order of the groups.
    private static func parameters(
        of dict: UInt32, _ pickle: borrowing Pickle, _ groups: inout UniqueArray<Int>,
        _ options: inout UniqueArray<OptimizerGroupOptions>
    ) throws(BackboneError) -> UniqueArray<Int> {
        var keys = UniqueArray<Int>()
        let list = try part("param_groups", of: dict, pickle)
        guard pickle[list].kind == .list, var members = PickleMembers(of: list, in: pickle) else {
            throw unusable("'param_groups' is \(pickle.describe(list)), expected a list")
        }
        while let (_, group) = members.next(in: pickle) {
            guard groups.count < Limits.optimizerGroups else {
                throw BackboneError(
                    .badCheckpoint,
                    "its optimizer state has more than \(Limits.optimizerGroups) groups; save it with fewer groups")
            }
            let before = keys.count
            try append(parametersOf: group, number: groups.count, pickle, to: &keys)
            try groups.append(keys.count - before)
            try options.append(OptimizerGroupOptions(group, pickle))
        }
        return keys
    }

    private static func append(
        parametersOf group: UInt32, number: Int, _ pickle: borrowing Pickle, to keys: inout UniqueArray<Int>
    ) throws(BackboneError) {
        guard pickle[group].kind == .dict, pickle.isSmall(group), let list = pickle.value(of: "params", in: group),
            pickle[list].kind == .list, var members = PickleMembers(of: list, in: pickle)
        else { throw unusable("group \(number) of its optimizer state has no list 'params'") }
        while let (_, value) = members.next(in: pickle) {
            guard let key = pickle.integer(value) else {
                throw unusable(
                    "group \(number) of its optimizer state has \(pickle.describe(value)) for a parameter's number")
            }
            guard keys.count < Limits.tensors else {
                throw BackboneError(
                    .badCheckpoint,
                    "its optimizer state has more than \(Limits.tensors) parameters; save that of this network alone")
            }
            try keys.append(key)
        }
    }

    /// Assigns each member of 'state' to its parameter.
    private static func values(
        of keys: borrowing UniqueArray<Int>, in state: UInt32, _ pickle: borrowing Pickle
    ) throws(BackboneError) -> UniqueArray<UInt32> {
        var values = try UniqueArray(repeating: PickleValue.none, count: keys.count)
        let list = keys.elements
        let order = try sorted(count: list.count) { list[Int($0)] < list[Int($1)] }
        let positions = order.elements
        for index in 1..<max(positions.count, 1) where list[Int(positions[index])] == list[Int(positions[index - 1])] {
            throw unusable("its optimizer state has parameter \(list[Int(positions[index])]) twice in its groups")
        }
        guard pickle[state].kind == .dict else {
            throw unusable("'state' is \(pickle.describe(state)), expected a dict")
        }
        var pair = pickle[state].first
        while pair != PickleValue.none {
            let entry = pickle.pairs[Int(pair)]
            pair = entry.next
            guard let key = pickle.integer(entry.key) else {
                throw unusable("a key of 'state' is \(pickle.describe(entry.key)), expected an integer of 64 bits")
            }
            let found = search(positions) { list[Int($0)] == key ? 0 : list[Int($0)] < key ? -1 : 1 }
            guard let found else {
                throw unusable("its optimizer state has values for parameter \(key), which is in none of its groups")
            }
            guard pickle[entry.value].kind == .dict, pickle.isSmall(entry.value) else {
                throw unusable(
                    "the state of parameter \(key) is \(pickle.describe(entry.value)), expected a dict of a few values")
            }
            values[Int(found)] = entry.value
        }
        return values
    }

    /// Adds the tensors of a parameter, and the values of other keys, except a step that is an integer.
    func addEntry(
        _ position: Int, _ checkpoint: borrowing PickledCheckpoint, to builder: inout CatalogBuilder
    ) throws(BackboneError) -> OptimizerDict.Entry {
        var entry = OptimizerDict.Entry()
        guard values[position] != PickleValue.none else { return entry }
        let members = try checkpoint.pickle.entries(of: values[position])
        var name = UniqueArray<UInt8>()
        for member in members.elements {
            let value = member.value
            // PyTorch writes None for a buffer that has not begun.
            guard let key = checkpoint.pickle.string(member.key), checkpoint.pickle[value].kind != .none else {
                continue
            }
            entry.isPresent = true
            if equal(key, "step"), let step = checkpoint.pickle.integer(value) {
                entry.step = step
                continue
            }
            name.removeAll()
            try name.append(message: "\(position).")
            try name.append(key)
            try builder.add(name.elements, value, checkpoint)
        }
        return entry
    }
}

extension Pickle {
    /// Whether the number of items of a dict is possible for a parameter or a group: the same dict may be listed many
    /// times.
    fileprivate func isSmall(_ dict: UInt32) -> Bool {
        count(of: dict, atMost: Limits.optimizerOptions + 1) <= Limits.optimizerOptions
    }
}
