// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// Which names are a backbone's, and what they are called here.
struct NamesTests {
    /// Our name for a file's, nil if there is none.
    private func translated(_ name: String, _ dialect: Dialect) throws -> String? {
        var name = name
        return try name.withUTF8 { name in
            var out = UniqueArray<UInt8>()
            let isKnown = try dialect.translate(name, to: &out)
            return isKnown ? String(decoding: out.elements, as: UTF8.self) : nil
        }
    }

    @Test(
        arguments: [
            ("stem.conv1.weight", "conv1.weight"), ("stem.conv1.norm.running_var", "bn1.running_var"),
            ("res2.0.conv1.weight", "layer1.0.conv1.weight"), ("res5.2.conv3.norm.bias", "layer4.2.bn3.bias"),
            ("res4.35.shortcut.weight", "layer3.35.downsample.0.weight"),
            ("res3.0.shortcut.norm.weight", "layer2.0.downsample.1.weight"), ("stem.fc.weight", "fc.weight"),
            ("linear.bias", "fc.bias"),
        ])
    func detectron2(name: String, ours: String) throws { #expect(try translated(name, .detectron2) == ours) }

    @Test(
        arguments: [
            ("conv1_w", "conv1.weight"), ("conv1_b", "conv1.bias"), ("res_conv1_bn_s", "bn1.weight"),
            ("res_conv1_bn_b", "bn1.bias"), ("conv1_bn_rm", "bn1.running_mean"),
            ("res_conv1_bn_riv", "bn1.running_var"),
            ("res2_0_branch2a_w", "layer1.0.conv1.weight"), ("res5_2_branch2c_bn_s", "layer4.2.bn3.weight"),
            ("res4_22_branch2b_bn_running_mean", "layer3.22.bn2.running_mean"),
            ("res3_0_branch1_w", "layer2.0.downsample.0.weight"),
            ("res3_0_branch1_bn_gamma", "layer2.0.downsample.1.weight"),
            ("res3_0_branch1_bn_beta", "layer2.0.downsample.1.bias"), ("fc1000_w", "fc.weight"), ("pred_b", "fc.bias"),
        ])
    func caffe2(name: String, ours: String) throws { #expect(try translated(name, .caffe2) == ours) }

    @Test(
        arguments: [
            "", "stem", "stem.conv2.weight", "res1.0.conv1.weight", "res6.0.conv1.weight", "res2.00.conv1.weight",
            "res2.01.conv1.weight", "res2.1000.conv1.weight", "res2.18446744073709551616.conv1.weight",
            "res2.-1.conv1.weight", "res2..conv1.weight", "res2.0.conv4.weight", "res2.0.conv1", "res2.0.norm.weight",
            "xres2.0.conv1.weight", "layer1.0.conv1.weight", "conv1_w",
        ])
    func noNamesOfDetectron2(name: String) throws { #expect(try translated(name, .detectron2) == nil) }

    @Test(
        arguments: [
            "", "conv1", "conv1_", "conv1_w_", "conv1_w_momentum", "res_conv1_bn_", "res_conv1_bn_x",
            "res2_0_branch2d_w",
            "res2_0_branch2_w", "res2_0_branch1_", "res2_0_branch1_bn_sw", "res2_0_w", "res2_", "res2_x_branch1_w",
            "res1_0_branch1_w", "conv1.weight", "res2.0.conv1.weight", "rres2_0_branch1_w",
        ])
    func noNamesOfCaffe2(name: String) throws { #expect(try translated(name, .caffe2) == nil) }

    /// Any cut of a name of any dialect is taken or refused, never more than that.
    @Test func cutNames() throws {
        for whole in [
            "res4.35.shortcut.norm.running_mean", "res4_35_branch2c_bn_running_var", "layer4.2.downsample.1.bias",
        ] {
            for end in 0...whole.utf8.count {
                let name = String(whole.prefix(end))
                _ = try translated(name, .detectron2)
                _ = try translated(name, .caffe2)
                #expect(try translated(name, .torchvision) == name)
            }
        }
    }

    @Test func namesOfResNets() {
        func isOurs(_ name: String) -> Bool {
            var name = name
            return name.withUTF8 { isResNetName($0) }
        }
        for name in ["conv1.weight", "bn1.bias", "fc.bias", "layer1.0.conv1.weight", "layer4.35.x"] {
            #expect(isOurs(name))
        }
        for name in ["", "conv1", "conv2.weight", "layer0.0.x", "layer5.0.x", "layer1.x.y", "layer1.0", "layer1"] {
            #expect(!isOurs(name), "\(name)")
        }
    }
}

/// The choice among candidates, which may come from any kind of file.
struct ChoiceTests {
    private struct Outcome: Equatable {
        var key: String
        var prefix: String
        var dialect: Dialect
    }

    /// Chooses among dicts of names.
    private func choose(
        _ dicts: [(key: String, names: [String])], key: String? = nil, prefix: String? = nil
    ) throws -> Outcome {
        let text = NameStore()
        var candidates = UniqueArray<Candidate>()
        for dict in dicts {
            var path = UniqueArray<UInt8>()
            for byte in dict.key.utf8 { try path.append(byte) }
            var tensors = UniqueArray<NamedTensor>()
            for name in dict.names { try tensors.append(NamedTensor(name: text.bytes(name))) }
            try candidates.append(try Candidate(key: path, tensors: tensors))
        }
        let selection = StateDictSelection(key: key.map(text.bytes), prefix: prefix.map(text.bytes))
        let choice = try BackboneChoice.choose(from: candidates, selection)
        return withExtendedLifetime(text) {
            Outcome(
                key: dicts[choice.candidate].key, prefix: String(decoding: choice.prefix.elements, as: UTF8.self),
                dialect: choice.dialect)
        }
    }

    private func failure(
        _ dicts: [(key: String, names: [String])], key: String? = nil, prefix: String? = nil
    ) -> BackboneError? {
        do {
            _ = try choose(dicts, key: key, prefix: prefix)
            return nil
        } catch {
            return error as? BackboneError
        }
    }

    private let plain = ["conv1.weight", "layer1.0.conv1.weight", "fc.weight"]
    private func behind(_ prefix: String) -> [String] { plain.map { prefix + $0 } }

    @Test func oneOfMany() throws {
        let found = try choose([
            ("", ["x"]), ("a", ["conv1.weight"]), ("b.c", behind("net.")), ("d", ["layer1.0.conv1.weight"]),
        ])
        #expect(found == Outcome(key: "b.c", prefix: "net.", dialect: .torchvision))
        let mixed = try choose([
            ("", ["backbone.stem.conv1.weight", "backbone.res2.0.conv1.weight"] + ["conv1.weight"])
        ])
        #expect(mixed == Outcome(key: "", prefix: "backbone.", dialect: .detectron2))
        let scoped = try choose([("blobs", ["gpu_0/conv1_w", "gpu_0/res2_0_branch2a_w"])])
        #expect(scoped == Outcome(key: "blobs", prefix: "gpu_0/", dialect: .caffe2))
    }

    @Test func aPrefixEndsBetweenParts() throws {
        #expect(try choose([("", behind("my_"))]).prefix == "")
        #expect(try choose([("", behind("my_")), ("b", behind("my."))]).prefix == "my.")
        // The head's convolution is no stem of a network whose first stage stands elsewhere.
        let head = ["rpn.conv1.weight", "rpn.layer1.0.conv2.weight"]
        #expect(try choose([("", head + behind("a.b."))]).prefix == "a.b.")
    }

    @Test func ambiguity() throws {
        let error = failure([("teacher", behind("module.")), ("student", behind("module.")), ("x", ["y"])])
        #expect(error?.kind == .badCheckpoint)
        let text = error?.text ?? ""
        #expect(
            text.contains("two state dicts, under 'teacher' (prefix 'module.') and 'student' (prefix 'module.')"),
            "\(text)")
        let three = failure([("", behind("") + behind("a.") + behind("b."))])?.text ?? ""
        #expect(three.contains("3 state dicts") && three.contains("(prefix 'a.')") && three.contains("(prefix 'b.')"))
        let both = failure([("", plain + ["stem.conv1.weight", "res2.0.conv1.weight"])])
        #expect(both?.kind == .badCheckpoint)
        let chosen = try choose([("teacher", behind("module.")), ("student", behind("module."))], key: "student")
        #expect(chosen.key == "student")
        let behindB = try choose([("", behind("a.") + behind("b."))], prefix: "b")
        #expect(behindB.prefix == "b.")
    }

    @Test func withoutStructure() throws {
        #expect(try choose([("", ["a"]), ("model", ["layer4.0.conv1.weight"])]).key == "model")
        #expect(try choose([("", ["module.layer4.0.conv1.weight", "module.x"])]).prefix == "module.")
        #expect(try choose([("", ["module.layer4.0.conv1.weight", "x"])]).prefix == "")
        #expect(try choose([("", ["res5.0.conv1.weight"])]).dialect == .detectron2)
        #expect(try choose([("only", ["a.b"])]) == Outcome(key: "only", prefix: "", dialect: .torchvision))
        #expect(failure([("a", ["a.b"]), ("b", ["c"])])?.kind == .badCheckpoint)
        #expect(try choose([("", [])]) == Outcome(key: "", prefix: "", dialect: .torchvision))
        #expect(try choose([("", ["encoder.layer4.0.conv1.weight"])], prefix: "encoder.").prefix == "encoder.")
    }

    @Test func whatIsAskedForMustBeThere() {
        let key = failure([("a", plain), ("", ["x"])], key: "b")
        #expect(
            key?.kind == .invalidArgument && key?.text.contains("'a', '' (the object itself)") == true,
            "\(key?.text ?? "")")
        let prefix = failure([("a", behind("net."))], prefix: "module.")
        #expect(prefix?.kind == .invalidArgument && prefix?.text.contains("found: 'net.' under 'a'") == true)
        let nothing = failure([("a", ["x.y"])], prefix: "x")
        #expect(nothing?.kind == .invalidArgument && nothing?.text.contains("the first name is 'x.y'") == true)
        #expect(failure([("a", plain)], key: "")?.kind == .invalidArgument)
    }

    @Test(arguments: ["stem.0.weight", "conv1.0.weight"])
    func deepStems(stem: String) {
        let names = ["b.\(stem)", "b.layer1.0.conv1.weight", "b.bn1.weight"]
        let error = failure([("", names)])
        #expect(error?.kind == .badCheckpoint && error?.text.contains("deep stem") == true)
        #expect(failure([("", names)], prefix: "b")?.text.contains("deep stem") == true)
        // Without a first stage behind it, it is something else.
        #expect(failure([("", ["a.\(stem)", "layer4.0.conv1.weight"])]) == nil)
    }

    /// As many places and long names as fit: an error in bounded time, with a message that is cut.
    @Test func hostileNames() {
        let long = String(repeating: "w", count: 900)
        var names: [String] = []
        for index in 0..<10_000 {
            names += ["\(long).\(index).conv1.weight", "\(long).\(index).layer1.0.conv1.weight"]
        }
        let error = failure([("", names)])
        #expect(error?.kind == .badCheckpoint && (error?.text.utf8.count ?? 0) > 400)
        let same = [String](repeating: "conv1.weight", count: 20_000) + ["layer1.0.conv1.weight"]
        #expect(failure([("", same)]) == nil)
    }
}

/// Keeps texts alive that are borrowed as bytes.
private final class NameStore {
    private var texts: [UnsafeMutableBufferPointer<UInt8>] = []

    func bytes(_ text: String) -> Bytes {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
        _ = copy.initialize(from: text.utf8)
        texts.append(copy)
        return UnsafeBufferPointer(copy)
    }

    deinit { texts.forEach { $0.deallocate() } }
}

/// What a report writes, read back by an independent parser.
struct ReportTextTests {
    private func parsed(_ write: (inout JSONWriter) throws -> Void) throws -> Any {
        var writer = JSONWriter()
        try writer.begin("{")
        try write(&writer)
        try writer.end("}")
        let text = try writer.finish()
        let data = Data(text.elements.dropLast())
        #expect(text.elements.last == 0)
        return try JSONSerialization.jsonObject(with: data)
    }

    @Test func everyCharacterSurvives() throws {
        var text = "\u{7f}é€😀 / \\ \" "
        for code in 1..<0x20 as Range<UInt8> { text.unicodeScalars.append(UnicodeScalar(code)) }
        let object = try parsed { writer in
            try writer.key("a")
            try writer.string(text)
            try writer.key("b")
            try writer.string([0x61, -1, -61, 0x28, 0])
        }
        let values = try #require(object as? [String: String])
        #expect(values["a"] == text)
        #expect(values["b"] == "a\u{fffd}\u{fffd}(")
    }

    @Test func shapesAndNesting() throws {
        let object = try parsed { writer in
            try writer.key("list")
            try writer.begin("[")
            for sizes in [[], [7], [.min, .max]] as [[Int64]] {
                try writer.separate()
                try sizes.withUnsafeBufferPointer { try writer.shape($0) }
            }
            try writer.separate()
            try writer.shape(nil)
            try writer.end("]")
            try writer.key("empty")
            try writer.begin("{")
            try writer.end("}")
        }
        let values = try #require(object as? [String: Any])
        let list = try #require(values["list"] as? [Any])
        #expect(list.count == 4 && list[3] is NSNull)
        #expect(list[1] as? [Int64] == [7] && list[2] as? [Int64] == [.min, .max])
        #expect((values["empty"] as? [String: Any])?.isEmpty == true)
    }
}
