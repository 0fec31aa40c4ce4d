// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints
@testable import Loading
@testable import Networks

/// Which names are a backbone's, and what they are called here.
struct NamesTests {
    /// Our name for a file's; nil for unknown names, "-" for unused ones.
    private func translated(_ name: String, _ dialect: Dialect) throws -> String? {
        let grammars = try Dialect.grammars()
        let rules = try NameRules(grammars[dialect.rawValue])
        var name = name
        return try name.withUTF8 { name in
            var out = UniqueArray<UInt8>()
            switch try rules.translate(name, to: &out) {
            case .unknown, .verbatim: return nil
            case .dropped: return "-"
            case .known: return String(decoding: out.elements, as: UTF8.self)
            }
        }
    }

    @Test(
        arguments: [
            (.detectron2, "stem.conv1.weight", "conv1.weight"),
            (.detectron2, "stem.conv1.norm.running_var", "bn1.running_var"),
            (.detectron2, "res2.0.conv1.weight", "layer1.0.conv1.weight"),
            (.detectron2, "res5.2.conv3.norm.bias", "layer4.2.bn3.bias"),
            (.detectron2, "res4.35.shortcut.weight", "layer3.35.downsample.0.weight"),
            (.detectron2, "res3.0.shortcut.norm.weight", "layer2.0.downsample.1.weight"),
            (.detectron2, "stem.fc.weight", "fc.weight"), (.detectron2, "linear.bias", "fc.bias"),
            (.detectron2, "stem.conv1.bias", "-"), (.detectron2, "res2.0.se.fc1.weight", "layer1.0.se.fc1.weight"),
            (.maskRCNNBenchmark, "stem.bn1.weight", "bn1.weight"),
            (.maskRCNNBenchmark, "layer1.0.downsample.1.bias", "layer1.0.downsample.1.bias"),
            (.convModule, "conv1.conv.weight", "conv1.weight"),
            (.convModule, "conv1.bn.running_mean", "bn1.running_mean"),
            (.convModule, "layer3.5.conv2.bn.bias", "layer3.5.bn2.bias"),
            (.convModule, "layer1.0.downsample.conv.weight", "layer1.0.downsample.0.weight"),
            (.convModule, "layer1.0.downsample.bn.weight", "layer1.0.downsample.1.weight"),
            (.cifar, "conv1.weight", "conv1.weight"), (.cifar, "bn1.running_mean", "bn1.running_mean"),
            (.cifar, "layer2.0.shortcut.0.weight", "layer2.0.downsample.0.weight"),
            (.cifar, "layer3.0.shortcut.1.running_var", "layer3.0.downsample.1.running_var"),
            (.cifar, "layer4.1.bn2.bias", "layer4.1.bn2.bias"), (.cifar, "linear.weight", "fc.weight"),
            (.huggingFace, "embedder.embedder.convolution.weight", "conv1.weight"),
            (.huggingFace, "encoder.stages.3.layers.2.layer.1.normalization.bias", "layer4.2.bn2.bias"),
            (.huggingFace, "encoder.stages.0.layers.0.shortcut.convolution.weight", "layer1.0.downsample.0.weight"),
            (
                .huggingFace, "encoder.stages.0.layers.0.layer.2.attention.0.weight",
                "layer1.0.layer.2.attention.0.weight"
            ),
            (.layerZero, "layer0.0.weight", "conv1.weight"), (.layerZero, "layer0.bn1.bias", "bn1.bias"),
            (.layerZero, "layer1.1.0.conv1.weight", "layer1.0.conv1.weight"),
            (.layerZero, "layer1.1.conv1.weight", "layer1.1.conv1.weight"),
            (.sequential, "0.weight", "conv1.weight"), (.sequential, "1.running_var", "bn1.running_var"),
            (.sequential, "7.2.conv3.weight", "layer4.2.conv3.weight"),
            (.sequentialWithoutOne, "6.0.bn1.bias", "layer4.0.bn1.bias"),
            (.sequentialWithoutBoth, "2.1.conv1.weight", "layer1.1.conv1.weight"),
            (.fasterRCNN, "RCNN_base.6.22.bn3.bias", "layer3.22.bn3.bias"),
            (.fasterRCNN, "RCNN_top.0.1.conv2.weight", "layer4.1.conv2.weight"),
            (.torchvision, "layer4.35.x", "layer4.35.x"), (.torchvision, "fc.bias", "fc.bias"),
        ] as [(Dialect, String, String)])
    func ours(dialect: Dialect, name: String, ours: String) throws {
        #expect(try translated(name, dialect) == ours)
    }

    @Test(
        arguments: [
            ("conv1_w", "conv1.weight"), ("conv1_b", "-"), ("res_conv1_bn_s", "bn1.weight"),
            ("res_conv1_bn_b", "bn1.bias"), ("conv1_bn_rm", "bn1.running_mean"),
            ("res_conv1_bn_riv", "bn1.running_var"),
            ("res2_0_branch2a_w", "layer1.0.conv1.weight"), ("res5_2_branch2c_bn_s", "layer4.2.bn3.weight"),
            ("res4_22_branch2b_bn_running_mean", "layer3.22.bn2.running_mean"),
            ("res3_0_branch1_w", "layer2.0.downsample.0.weight"),
            ("res3_0_branch1_bn_gamma", "layer2.0.downsample.1.weight"),
            ("res3_0_branch1_bn_beta", "layer2.0.downsample.1.bias"), ("fc1000_w", "fc.weight"), ("pred_b", "fc.bias"),
            ("conv1_w_momentum", "-"), ("res2_0_branch2b_gn_s", "layer1.0.gn2.s"),
        ])
    func caffe2(name: String, ours: String) throws { #expect(try translated(name, .caffe2) == ours) }

    @Test(
        arguments: [
            "", "stem", "res1.0.conv1.weight", "res6.0.conv1.weight", "res2.", "xres2.0.conv1.weight",
            "layer1.0.conv1.weight", "conv1_w",
        ])
    func noNamesOfDetectron2(name: String) throws { #expect(try translated(name, .detectron2) == nil) }

    /// Of these no part is a number of a block: they are in a stage, but not in one of its blocks.
    @Test(
        arguments: [
            "res2.00.conv1.weight", "res2.01.conv1.weight", "res2.1000.conv1.weight",
            "res2.18446744073709551616.conv1.weight", "res2.-1.conv1.weight", "res2..conv1.weight",
        ])
    func numbersOfNoBlock(name: String) throws {
        #expect(try translated(name, .detectron2) == "layer1." + name.dropFirst("res2.".count))
    }

    @Test(
        arguments: [
            "", "conv1", "conv1_", "conv1_w_", "res_conv1_bn_", "res_conv1_bn_x", "res2_0_branch2d", "res2_",
            "res2_x_branch1_w", "res1_0_branch1_w", "conv1.weight", "res2.0.conv1.weight", "rres2_0_branch1_w",
        ])
    func noNamesOfCaffe2(name: String) throws {
        let ours = try translated(name, .caffe2)
        #expect(ours == nil || ours?.hasPrefix("layer1.0.branch") == true)
    }

    /// Any cut of a name of any dialect is taken or refused, never more than that.
    @Test func cutNames() throws {
        for whole in [
            "res4.35.shortcut.norm.running_mean", "res4_35_branch2c_bn_running_var", "layer4.2.downsample.1.bias",
            "encoder.stages.3.layers.2.layer.1.normalization.bias", "RCNN_top.0.1.conv2.weight", "7.2.conv3.weight",
        ] {
            for end in 0...whole.utf8.count {
                for number in 0... {
                    guard let dialect = Dialect(rawValue: number) else { break }
                    _ = try translated(String(whole.prefix(end)), dialect)
                }
            }
        }
    }

    /// Every line of every table says something: its pattern fits a name that none of the lines before it takes.
    @Test func everyLineOfATableCounts() throws {
        let grammars = try Dialect.grammars()
        for number in 0..<grammars.count {
            let table = "\(grammars[number].table)".split(separator: "\n").map {
                $0.split(separator: " ").map(String.init)
            }
            let dialect = try #require(Dialect(rawValue: number))
            for words in table where words[0] != "place" && words[0] != "*" {
                let fields = [
                    ("{s}", 2), ("{b}", 1), ("{c}", 2), ("{s+1}", 3), ("{s+2}", 4), ("{s+3}", 5), ("{s-1}", 1),
                    ("{c-1}", 1),
                ]
                func filled(_ text: String, file: Bool) -> String {
                    var text = text.replacingOccurrences(of: "*", with: "xyz").replacingOccurrences(
                        of: "{c:a}", with: "b")
                    for (field, value) in fields { text = text.replacingOccurrences(of: field, with: "\(value)") }
                    return text
                }
                #expect(words.count == 2, "\(words)")
                #expect(
                    try translated(filled(words[0], file: true), dialect)
                        == filled(words[1].replacingOccurrences(of: "~", with: ""), file: false), "\(words)")
            }
            for words in table where words[0] == "place" {
                // PaddleDetection's blocks are not known.
                let count = dialect == .paddleDetection ? 1 : 2
                for name in words[1...count] { #expect(try translated(name, dialect) != nil, "\(words)") }
                #expect(words.count <= 5 && words.dropFirst(3).allSatisfy { $0.hasPrefix("!") }, "\(words)")
            }
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
        let grammars = try Dialect.grammars()
        var rules = UniqueArray<NameRules>()
        for index in 0..<grammars.count { try rules.append(try NameRules(grammars[index])) }
        let selection = StateDictSelection(key: key.map(text.bytes), prefix: prefix.map(text.bytes))
        let choice = try StateDictChoice.choose(from: candidates, selection, rules)
        let dialect = try #require(Dialect(rawValue: choice.grammar))
        return withExtendedLifetime(text) {
            Outcome(
                key: dicts[choice.candidate].key, prefix: String(decoding: choice.prefix.elements, as: UTF8.self),
                dialect: dialect)
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
        // The head's convolution is not the stem of a network whose first stage is elsewhere.
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

    /// Deep stems mark a place as well as others, so that what does not fit can be named.
    @Test(arguments: ["stem.0.weight", "conv1.0.weight"])
    func deepStems(stem: String) throws {
        let names = ["b.\(stem)", "b.layer1.0.conv1.weight", "b.bn1.weight"]
        #expect(try choose([("", names)]) == Outcome(key: "", prefix: "b.", dialect: .torchvision))
        #expect(try choose([("", ["a.\(stem)", "layer4.0.conv1.weight"])]).prefix == "")
    }

    /// Numbers of `nn.Sequential` give the number of modules before the first stage.
    @Test(arguments: [(4, Dialect.sequential), (3, .sequentialWithoutOne), (2, .sequentialWithoutBoth)])
    func numberedStages(first: Int, dialect: Dialect) throws {
        let stages = (0..<4).map { "x.\(first + $0).0.conv1.weight" }
        #expect(try choose([("", ["x.0.weight"] + stages)]) == Outcome(key: "", prefix: "x.", dialect: dialect))
    }

    /// Names that two grammars know are one place: of the one that knows more of them.
    @Test func namesOfTwoGrammars() throws {
        let names = [
            "RCNN_base.0.weight", "RCNN_base.1.bias", "RCNN_base.4.0.conv1.weight", "RCNN_base.4.0.bn1.bias",
            "RCNN_top.0.0.conv1.weight",
        ]
        #expect(try choose([("", names)]) == Outcome(key: "", prefix: "", dialect: .fasterRCNN))
        #expect(try choose([("", Array(names.dropLast()))]).prefix == "")
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
