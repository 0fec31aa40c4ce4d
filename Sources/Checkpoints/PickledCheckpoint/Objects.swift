// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Objects of unknown classes: subclasses of dict and list, namespaces, dataclasses, named tuples.
extension PickledCheckpoint {
    /// The attributes of an object, a dict; nil if its state is anything else.
    func attributes(of object: Pickle.Object) -> UInt32? {
        guard object.state != PickleValue.none else { return nil }
        // Attributes alone, or with those of slots.
        let state = slots(of: object) != nil ? pickle.item(0, of: pickle[object.state]) : object.state
        guard let state, pickle[state].kind == .dict else { return nil }
        return state
    }

    /// The attributes in slots, a dict: the second of two dicts, of which the first may be None.
    private func slots(of object: Pickle.Object) -> UInt32? {
        let state = pickle[object.state]
        guard state.kind == .tuple, state.second == 2, let first = pickle.item(0, of: state),
            let second = pickle.item(1, of: state), pickle[first].kind == .dict || pickle[first].kind == .none,
            pickle[second].kind == .dict || pickle[second].kind == .none
        else { return nil }
        return second
    }

    /// The values of an object that may hold a state dict, `PickleValue.none` for each that it lacks: its items, its
    /// arguments, its appended items, its attributes and those in slots.
    func parts(of object: Pickle.Object) -> [5 of UInt32] {
        var parts: [5 of UInt32] = .init(repeating: PickleValue.none)
        parts[0] = object.items
        parts[1] = object.arguments
        if parts[1] != PickleValue.none, pickle[parts[1]].second == 1, let only = pickle.item(0, of: pickle[parts[1]]) {
            parts[1] = only
        }
        parts[2] = object.elements
        guard object.state != PickleValue.none else { return parts }
        parts[3] = attributes(of: object) ?? PickleValue.none
        if let slots = slots(of: object) {
            parts[4] = slots
        } else if parts[3] == PickleValue.none {
            parts[3] = object.state
        }
        // A UserDict has its items in an attribute.
        if object.global != PickleValue.none, pickle.globals[Int(object.global)].meaning == .userDict,
            parts[3] != PickleValue.none, let data = pickle.value(of: "data", in: parts[3])
        {
            parts[3] = data
        }
        return parts
    }
}
