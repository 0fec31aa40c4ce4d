// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The networks that have names: those of torchvision and timm, those of He et al. 2015 (arXiv:1512.03385) for CIFAR-10, and
/// their plain ones.
package enum ArchitectureTable {
    /// A row for each network, without a gap; nil past the last. A file that fits several rows gets the first of them,
    /// so variants that files do not record, such as the anti-aliased ones, follow the plain ones. A switch builds only
    /// the requested row, where an array would build all of them.
    package static func row(_ index: Int) -> Architecture? {
        switch index {
        case 0: row("resnet10t", .basic, [1, 1, 1, 1], .t)
        case 1: row("resnet14t", .bottleneck, [1, 1, 1, 1], .t)
        case 2: row("resnet18", depth: 18, .basic, [2, 2, 2, 2])
        case 3: row("resnet18d", .basic, [2, 2, 2, 2], .d)
        case 4: row("resnet26", .bottleneck, [2, 2, 2, 2])
        case 5: row("resnet26d", .bottleneck, [2, 2, 2, 2], .d)
        case 6: row("resnet26t", .bottleneck, [2, 2, 2, 2], .t)
        case 7: row("resnet34", depth: 34, .basic, [3, 4, 6, 3])
        case 8: row("resnet34d", .basic, [3, 4, 6, 3], .d)
        case 9: row("resnet50", depth: 50, .bottleneck, [3, 4, 6, 3])
        case 10: row("resnet50c", .bottleneck, [3, 4, 6, 3], .c)
        case 11: row("resnet50d", .bottleneck, [3, 4, 6, 3], .d)
        case 12: row("resnet50s", .bottleneck, [3, 4, 6, 3], .s)
        case 13: row("resnet50t", .bottleneck, [3, 4, 6, 3], .t)
        case 14: row("resnet50_gn", .bottleneck, [3, 4, 6, 3], .groupNorm)
        case 15: row("resnet101", depth: 101, .bottleneck, [3, 4, 23, 3])
        case 16: row("resnet101c", .bottleneck, [3, 4, 23, 3], .c)
        case 17: row("resnet101d", .bottleneck, [3, 4, 23, 3], .d)
        case 18: row("resnet101s", .bottleneck, [3, 4, 23, 3], .s)
        case 19: row("resnet152", depth: 152, .bottleneck, [3, 8, 36, 3])
        case 20: row("resnet152c", .bottleneck, [3, 8, 36, 3], .c)
        case 21: row("resnet152d", .bottleneck, [3, 8, 36, 3], .d)
        case 22: row("resnet152s", .bottleneck, [3, 8, 36, 3], .s)
        case 23: row("resnet200", .bottleneck, [3, 24, 36, 3])
        case 24: row("resnet200d", .bottleneck, [3, 24, 36, 3], .d)
        case 25: row("wide_resnet50_2", .bottleneck, [3, 4, 6, 3], .groups(1, of: 128))
        case 26: row("wide_resnet101_2", .bottleneck, [3, 4, 23, 3], .groups(1, of: 128))
        case 27: row("resnext50_32x4d", .bottleneck, [3, 4, 6, 3], .groups(32, of: 4))
        case 28: row("resnext50d_32x4d", .bottleneck, [3, 4, 6, 3], .groups(32, of: 4), .d)
        case 29: row("resnext101_32x4d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 4))
        case 30: row("resnext101_32x8d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 8))
        case 31: row("resnext101_32x16d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 16))
        case 32: row("resnext101_32x32d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 32))
        case 33: row("resnext101_64x4d", .bottleneck, [3, 4, 23, 3], .groups(64, of: 4))
        case 34: row("ecaresnet26t", .bottleneck, [2, 2, 2, 2], .t, .efficient)
        case 35: row("ecaresnet50d", .bottleneck, [3, 4, 6, 3], .d, .efficient)
        case 36: row("ecaresnet50t", .bottleneck, [3, 4, 6, 3], .t, .efficient)
        case 37: row("ecaresnetlight", .bottleneck, [1, 1, 11, 3], .averageShortcut, .efficient)
        case 38: row("ecaresnet101d", .bottleneck, [3, 4, 23, 3], .d, .efficient)
        case 39: row("ecaresnet200d", .bottleneck, [3, 24, 36, 3], .d, .efficient)
        case 40: row("ecaresnet269d", .bottleneck, [3, 30, 48, 8], .d, .efficient)
        case 41: row("ecaresnext26t_32x4d", .bottleneck, [2, 2, 2, 2], .groups(32, of: 4), .t, .efficient)
        case 42: row("ecaresnext50t_32x4d", .bottleneck, [3, 4, 6, 3], .groups(32, of: 4), .t, .efficient)
        case 43: row("seresnet18", .basic, [2, 2, 2, 2], .squeeze)
        case 44: row("seresnet34", .basic, [3, 4, 6, 3], .squeeze)
        case 45: row("seresnet50", .bottleneck, [3, 4, 6, 3], .squeeze)
        case 46: row("seresnet50t", .bottleneck, [3, 4, 6, 3], .t, .squeeze)
        case 47: row("seresnet101", .bottleneck, [3, 4, 23, 3], .squeeze)
        case 48: row("seresnet152", .bottleneck, [3, 8, 36, 3], .squeeze)
        case 49: row("seresnet152d", .bottleneck, [3, 8, 36, 3], .d, .squeeze)
        case 50: row("seresnet200d", .bottleneck, [3, 24, 36, 3], .d, .squeeze)
        case 51: row("seresnet269d", .bottleneck, [3, 30, 48, 8], .d, .squeeze)
        case 52: row("seresnext26d_32x4d", .bottleneck, [2, 2, 2, 2], .groups(32, of: 4), .d, .squeeze)
        case 53: row("seresnext26t_32x4d", .bottleneck, [2, 2, 2, 2], .groups(32, of: 4), .t, .squeeze)
        case 54: row("seresnext50_32x4d", .bottleneck, [3, 4, 6, 3], .groups(32, of: 4), .squeeze)
        case 55: row("seresnext101_32x4d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 4), .squeeze)
        case 56: row("seresnext101_32x8d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 8), .squeeze)
        case 57: row("seresnext101d_32x8d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 8), .d, .squeeze)
        case 58: row("seresnext101_64x4d", .bottleneck, [3, 4, 23, 3], .groups(64, of: 4), .squeeze)
        case 59: row("senet154", .bottleneck, [3, 8, 36, 3], .groups(64, of: 4), .senet, .squeeze)
        case 60: row("resnetrs50", .bottleneck, [3, 4, 6, 3], .rs)
        case 61: row("resnetrs101", .bottleneck, [3, 4, 23, 3], .rs)
        case 62: row("resnetrs152", .bottleneck, [3, 8, 36, 3], .rs)
        case 63: row("resnetrs200", .bottleneck, [3, 24, 36, 3], .rs)
        case 64: row("resnetrs270", .bottleneck, [4, 29, 53, 4], .rs)
        case 65: row("resnetrs350", .bottleneck, [4, 36, 72, 4], .rs)
        case 66: row("resnetrs420", .bottleneck, [4, 44, 87, 4], .rs)
        case 67: row("resnetv2_18", .basic, [2, 2, 2, 2], .v2)
        case 68: row("resnetv2_18d", .basic, [2, 2, 2, 2], .d, .v2)
        case 69: row("resnetv2_34", .basic, [3, 4, 6, 3], .v2)
        case 70: row("resnetv2_34d", .basic, [3, 4, 6, 3], .d, .v2)
        case 71: row("resnetv2_50", .bottleneck, [3, 4, 6, 3], .v2)
        case 72: row("resnetv2_50d", .bottleneck, [3, 4, 6, 3], .d, .v2)
        case 73: row("resnetv2_50t", .bottleneck, [3, 4, 6, 3], .t, .v2)
        case 74: row("resnetv2_50d_gn", .bottleneck, [3, 4, 6, 3], .d, .v2, .groupNorm)
        case 75: row("resnetv2_101", .bottleneck, [3, 4, 23, 3], .v2)
        case 76: row("resnetv2_101d", .bottleneck, [3, 4, 23, 3], .d, .v2)
        case 77: row("resnetv2_152", .bottleneck, [3, 8, 36, 3], .v2)
        case 78: row("resnetv2_152d", .bottleneck, [3, 8, 36, 3], .d, .v2)
        case 79: row("resnetblur18", .basic, [2, 2, 2, 2], .blur)
        case 80: row("resnetblur50", .bottleneck, [3, 4, 6, 3], .blur)
        case 81: row("resnetblur50d", .bottleneck, [3, 4, 6, 3], .d, .blur)
        case 82: row("resnetblur101d", .bottleneck, [3, 4, 23, 3], .d, .blur)
        case 83: row("resnetaa34d", .basic, [3, 4, 6, 3], .d, .average)
        case 84: row("resnetaa50", .bottleneck, [3, 4, 6, 3], .average)
        case 85: row("resnetaa50d", .bottleneck, [3, 4, 6, 3], .d, .average)
        case 86: row("resnetaa101d", .bottleneck, [3, 4, 23, 3], .d, .average)
        case 87: row("seresnetaa50d", .bottleneck, [3, 4, 6, 3], .d, .squeeze, .average)
        case 88: row("seresnextaa101d_32x8d", .bottleneck, [3, 4, 23, 3], .groups(32, of: 8), .d, .squeeze, .average)
        case 89:
            row(
                "seresnextaa201d_32x8d", .bottleneck, [3, 24, 36, 4], .groups(32, of: 8), .d, .wideStem, .squeeze,
                .average)
        case 90: row("test_resnet", .basic, [1, 1, 1, 1], .d, .small)
        case 91: row("resnet20", .basic, [3, 3, 3, 0], .cifar)
        case 92: row("resnet32", .basic, [5, 5, 5, 0], .cifar)
        case 93: row("resnet44", .basic, [7, 7, 7, 0], .cifar)
        case 94: row("resnet56", .basic, [9, 9, 9, 0], .cifar)
        case 95: row("resnet110", .basic, [18, 18, 18, 0], .cifar)
        case 96: row("resnet1202", .basic, [200, 200, 200, 0], .cifar)
        case 97: row("plain18", .basic, [2, 2, 2, 2], .plain)
        case 98: row("plain34", .basic, [3, 4, 6, 3], .plain)
        case 99: row("plain20", .basic, [3, 3, 3, 0], .cifar, .plain)
        case 100: row("plain32", .basic, [5, 5, 5, 0], .cifar, .plain)
        case 101: row("plain44", .basic, [7, 7, 7, 0], .cifar, .plain)
        case 102: row("plain56", .basic, [9, 9, 9, 0], .cifar, .plain)
        default: nil
        }
    }

    package static var count: Int {
        var count = 0
        while row(count) != nil { count += 1 }
        return count
    }

    private static func row(
        _ name: StaticString, depth: Int32 = 0, _ block: Architecture.Block, _ blockCounts: BlockCounts,
        _ first: Trait? = nil, _ second: Trait? = nil, _ third: Trait? = nil, _ fourth: Trait? = nil,
        _ fifth: Trait? = nil
    ) -> Architecture {
        var row = Architecture()
        row.name = name
        row.depth = depth
        row.blocks = StageBlocks(repeating: block)
        row.blockCounts = blockCounts
        first?.apply(to: &row)
        second?.apply(to: &row)
        third?.apply(to: &row)
        fourth?.apply(to: &row)
        fifth?.apply(to: &row)
        return row
    }

    /// The network of a zero-terminated name; nil if it has none.
    static func network(named name: UnsafePointer<CChar>) -> Architecture? {
        first { strcmp(name, $0.cName) == 0 }
    }

    /// The network that a depth describes; nil if it describes none.
    static func network(ofDepth depth: Int32) -> Architecture? { first { $0.depth != 0 && $0.depth == depth } }

    private static func first(where fits: (Architecture) -> Bool) -> Architecture? {
        var index = 0
        while let candidate = row(index) {
            if fits(candidate) { return candidate }
            index += 1
        }
        return nil
    }
}

/// The differences of a row from the networks of table 1 of He et al. 2015.
private enum Trait: BitwiseCopyable {
    /// The letters of He et al. 2019 (arXiv:1812.01187) and timm: a deep stem (C), one twice as wide (S), averaged shortcuts
    /// as well (D), and with a tiered stem (T).
    case c, s, d, t
    case averageShortcut
    /// A stem of twice the width.
    case wideStem
    /// Wide networks (Zagoruyko and Komodakis 2016, arXiv:1605.07146) and ResNeXts.
    case groups(Int, of: Int)
    case groupNorm
    case squeeze, efficient
    case senet
    case rs
    /// Pre-activation.
    case v2
    case blur, average
    /// timm's network for tests.
    case small
    case cifar
    case plain

    func apply(to row: inout Architecture) {
        switch self {
        case .c: row.stem = .deep
        case .s: (row.stem, row.stemWidth) = (.deep, 128)
        case .d: (row.stem, row.shortcut) = (.deep, .average)
        case .t: (row.stem, row.shortcut) = (.tiered, .average)
        case .averageShortcut: row.shortcut = .average
        case .wideStem: row.stemWidth = 128
        case .groups(let count, let width): (row.cardinality, row.baseWidth) = (count, width)
        case .groupNorm: row.norm = .group
        case .squeeze: row.attention = .squeeze
        case .efficient: row.attention = .efficient
        case .senet: (row.stem, row.stemWidth, row.shortcut, row.reduction) = (.deep, 128, .wide, 2)
        case .rs:
            (row.stem, row.shortcut, row.pooling, row.attention) = (.deep, .average, .convolution, .squeezeQuarter)
        case .v2: row.isPreactivation = true
        case .blur: row.antiAliasing = .blur
        case .average: row.antiAliasing = .average
        case .small:
            (row.planes, row.stemWidth) = ([32, 48, 48, 96], 32)
            row.blocks[2] = .bottleneck
        case .cifar:
            (row.stem, row.stemWidth, row.pooling, row.classes) = (.small, 16, .none, 10)
            (row.planes, row.shortcut) = ([16, 32, 64, 128], .subsample)
        case .plain: row.shortcut = .none
        }
    }
}
