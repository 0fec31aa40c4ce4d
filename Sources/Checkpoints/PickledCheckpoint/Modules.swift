// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Whole modules, as `torch.save(model)` writes them: objects whose state holds the dicts `_parameters`, `_buffers` and
// `_modules`.
extension PickledCheckpoint {
    /// Whether a value is a `torch.nn.Module` of whatever class.
    func isModule(_ value: UInt32) -> Bool { moduleState(value) != nil }

    /// The attributes of a module, a dict; nil for any other value.
    fileprivate func moduleState(_ value: UInt32) -> UInt32? {
        guard let object = pickle.object(value), let state = attributes(of: object) else { return nil }
        guard pickle.count(of: state, atMost: Limits.moduleAttributes + 1) <= Limits.moduleAttributes,
            let modules = pickle.value(of: "_modules", in: state), pickle[modules].kind == .dict,
            let parameters = pickle.value(of: "_parameters", in: state), pickle[parameters].kind == .dict
        else { return nil }
        return state
    }
}

private func unusable(_ message: Message) -> BackboneError {
    BackboneError(.badCheckpoint, "\(message); save the model's state_dict() with torch.save")
}

/// The `state_dict()` of a module: values, and names that are nowhere in the file.
struct ModuleEntries: ~Copyable {
    fileprivate(set) var values = UniqueArray<UInt32>()
    private var names = UniqueArray<TextRange>()
    private var text = UniqueArray<UInt8>()

    /// Valid as long as this lives and is not changed.
    func name(_ index: Int) -> Bytes { text.elements.slice(names[index]) }

    // All text together has at most Limits.moduleNameBytes: offsets fit.
    fileprivate mutating func add(_ name: Bytes, _ value: UInt32) throws(BackboneError) {
        try names.append(TextRange(start: UInt32(text.count), count: UInt32(name.count)))
        try text.append(name)
        try values.append(value)
    }
}

/// Visits a module and its descendants in the order of `state_dict()`: its own parameters and buffers, then its
/// children.
struct ModuleWalk: ~Copyable {
    /// A module to visit, its key, and the length of its parent's name.
    private struct Visit {
        var module: UInt32
        var key = PickleValue.none
        var nameCount = 0
        var depth = 0
    }

    private var stack = UniqueArray<Visit>()
    private var name = UniqueArray<UInt8>()
    private(set) var effort: Effort

    /// The effort of all walks: a module may be used in many places, and is visited both to be chosen and to be read.
    struct Effort: BitwiseCopyable {
        fileprivate var visits = 0
        fileprivate var entries = 0
        fileprivate var nameBytes = 0

        init() {}
    }

    /// - Parameter effort: of the walks before this one, which share its limits.
    init(_ module: UInt32, after effort: Effort) throws(BackboneError) {
        self.effort = effort
        try stack.append(Visit(module: module))
    }

    /// Lists the entries of all modules.
    ///
    /// - Throws: `badCheckpoint` for too many or too deep modules, or modules inside themselves.
    mutating func run(_ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) -> ModuleEntries {
        var list = ModuleEntries()
        while !stack.isEmpty {
            let visit = stack.removeLast()
            effort.visits += 1
            guard effort.visits <= Limits.modules else { throw ModuleWalk.tooMany() }
            guard let state = checkpoint.moduleState(visit.module) else { continue }
            // Later visits have only changed the text after the parent's part.
            while name.count > visit.nameCount { _ = name.removeLast() }
            if visit.key != PickleValue.none, let key = checkpoint.pickle.string(visit.key) {
                try name.append(key)
                try name.append(".")
            }
            try addTensors(under: "_parameters", of: state, checkpoint, &list)
            try addTensors(under: "_buffers", of: state, checkpoint, &list)
            try addChildren(of: state, depth: visit.depth, checkpoint)
        }
        return list
    }

    private static func tooMany() -> BackboneError {
        unusable("it has more than \(Limits.modules) modules")
    }

    private mutating func addChildren(
        of state: UInt32, depth: Int, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        guard let modules = checkpoint.pickle.value(of: "_modules", in: state) else { return }
        let children = try take(modules, checkpoint)
        guard children.isEmpty || depth < Limits.moduleDepth else {
            throw unusable("its modules are more than \(Limits.moduleDepth) deep, or inside themselves")
        }
        // The first must be on top.
        for index in stride(from: children.count - 1, through: 0, by: -1) {
            guard stack.count < Limits.modules else { throw ModuleWalk.tooMany() }
            let child = children.elements[index]
            try stack.append(Visit(module: child.value, key: child.key, nameCount: name.count, depth: depth + 1))
        }
    }

    /// The entries of a dict, counted as effort.
    private mutating func take(
        _ dict: UInt32, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> UniqueArray<Pickle.Pair> {
        try charge(checkpoint.pickle.count(of: dict, atMost: Limits.moduleEntries))
        return try checkpoint.pickle.entries(of: dict)
    }

    private mutating func charge(_ count: Int) throws(BackboneError) {
        effort.entries += count
        guard effort.entries <= Limits.moduleEntries else {
            throw unusable("its modules have more than \(Limits.moduleEntries) entries")
        }
    }

    /// Adds the parameters or buffers of one module, except those that are None or not saved.
    private mutating func addTensors(
        under key: StaticString, of state: UInt32, _ checkpoint: borrowing PickledCheckpoint,
        _ list: inout ModuleEntries
    ) throws(BackboneError) {
        guard let dict = checkpoint.pickle.value(of: key, in: state), checkpoint.pickle[dict].kind == .dict else {
            return
        }
        let tensors = try take(dict, checkpoint)
        let prefixCount = name.count
        for entry in tensors.elements {
            guard checkpoint.pickle[entry.value].kind != .none, let own = checkpoint.pickle.string(entry.key),
                try !isUnsaved(own, of: state, checkpoint)
            else { continue }
            try name.append(own)
            effort.nameBytes += name.count
            guard effort.nameBytes <= Limits.moduleNameBytes else {
                throw unusable("the names in its modules have more than \(Limits.moduleNameBytes) bytes")
            }
            try list.add(name.elements, entry.value)
            while name.count > prefixCount { _ = name.removeLast() }
        }
    }

    /// Whether a name is among the buffers that are not part of the state dict.
    private mutating func isUnsaved(
        _ name: Bytes, of state: UInt32, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Bool {
        guard let set = checkpoint.pickle.value(of: "_non_persistent_buffers_set", in: state),
            checkpoint.pickle[set].kind == .list
        else { return false }
        try charge(checkpoint.pickle.count(of: set, atMost: Limits.moduleEntries))
        var item = checkpoint.pickle[set].first
        while item != PickleValue.none {
            let entry = checkpoint.pickle.pairs[Int(item)]
            if let unsaved = checkpoint.pickle.string(entry.value), equal(unsaved, name) { return true }
            item = entry.next
        }
        return false
    }
}
