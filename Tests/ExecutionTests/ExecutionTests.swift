// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

extension Planner {
    /// Of the reference kernels, on any CPU.
    fileprivate static var any: Planner {
        Planner(kernels: KernelTable.reference.convolutions, isDirect: false, segmentCount: 9)
    }
}

private func program(_ configuration: Configuration) throws -> Program {
    try Lowering.program(configuration.makeGraph())
}

struct PlanTests {
    /// No tensor is overwritten while somebody still reads it: checked by playing the plan over the block of memory.
    @Test(arguments: [18, 34, 50, 101, 152] as [Int32], [(224, 224), (33, 65), (1, 1), (7, 300)])
    func tensorsSurviveUntilTheirLastUse(depth: Int32, size: (Int, Int)) throws {
        for (stages, style) in [(15, 0), (1, 0), (6, 0), (15, 1)] as [(UInt32, Int32)] {
            let program = try program(
                Configuration(
                    depth: depth, inChannels: 3, baseChannels: 64, outStages: stages, normEval: 0, zeroInitResidual: 0,
                    style: style))
            try expectSurvival(program, size)
        }
    }

    /// The same of all networks that have names, and of gates, which are read beside what they scale.
    @Test(arguments: [(224, 224), (33, 65), (1, 1)])
    func tensorsOfOtherNodesSurvive(size: (Int, Int)) throws {
        for number in 0..<ArchitectureTable.count {
            let architecture = try #require(ArchitectureTable.row(number))
            // Too small to be smoothed.
            if architecture.antiAliasing != .none && size == (1, 1) { continue }
            let named = try program(
                Configuration(
                    architecture, inChannels: 3, baseChannels: 64, outStages: 127, normEval: 0,
                    zeroInitResidual: 0))
            try expectSurvival(named, size)
        }
        var builder = try GraphBuilder(imageChannels: 3)
        try NodeTests.Case.squeezeAndExcitation.build(&builder)
        let gated = try Lowering.program(builder.finish())
        try expectSurvival(gated, size)
    }

    private func expectSurvival(_ program: borrowing Program, _ size: (Int, Int)) throws {
        let plan = try Plan(program, .any, height: size.0, width: size.1, addsInPlace: true)
        // Who wrote which part of memory last: ranges of floats by tensor.
        var contents: [(range: Range<Int>, tensor: Int)] = []
        func range(_ tensor: Int) -> Range<Int> {
            let offset = plan.tensors[tensor].offset
            return offset..<offset + plan.tensors[tensor].floatCount
        }
        func expectPresent(_ tensor: Int, _ step: Int) {
            #expect(contents.contains { $0.tensor == tensor }, "step \(step) reads what is gone")
        }
        func write(_ tensor: Int) {
            let written = range(tensor)
            #expect(written.upperBound <= plan.activationCount)
            contents.removeAll { $0.range.overlaps(written) }
            contents.append((written, tensor))
        }
        for step in 0..<plan.steps.count {
            let read = [plan.steps[step].source, plan.steps[step].scale, plan.steps[step].residual].compactMap(\.self)
            for tensor in read { expectPresent(tensor, step) }
            guard let target = plan.steps[step].target else { continue }
            write(target)
            // Still there while the output is written.
            for tensor in read { expectPresent(tensor, step) }
        }
    }

    /// Memory is shared: a ResNet-50 keeps few of its tensors at a time.
    @Test func memoryIsShared() throws {
        let program = try program(
            Configuration(depth: 50, inChannels: 3, baseChannels: 64, outStages: 15, normEval: 0, zeroInitResidual: 0))
        let plan = try Plan(program, .any, height: 224, width: 224, addsInPlace: false)
        let total = (0..<plan.tensors.count).map { plan.tensors[$0].floatCount }.reduce(0, +)
        #expect(plan.activationCount * 4 < total)
    }

    @Test(arguments: [(1 << 40, 1 << 40), (1 << 62, 1), (Int.max, Int.max)])
    func tooLarge(size: (Int, Int)) throws {
        let program = try program(
            Configuration(depth: 18, inChannels: 3, baseChannels: 64, outStages: 15, normEval: 0, zeroInitResidual: 0))
        #expect(throws: BackboneError.self) {
            _ = try Plan(program, .any, height: size.0, width: size.1, addsInPlace: true)
        }
    }

    @Test func cacheFreesThePlanThatWasUnusedLongest() throws {
        let program = try program(
            Configuration(depth: 18, inChannels: 3, baseChannels: 4, outStages: 15, normEval: 0, zeroInitResidual: 0))
        var cache = PlanCache()
        var plans: [UnsafePointer<Plan>] = []
        for size in 1...PlanCache.capacity {
            plans.append(try cache.take(program, .any, height: size, width: 5, addsInPlace: true))
            cache.giveBack(plans[size - 1])
        }
        // The first is used again, so that the second has to go. In use, the new one keeps what memory it has got.
        cache.giveBack(try cache.take(program, .any, height: 1, width: 5, addsInPlace: true))
        let new = try cache.take(program, .any, height: 99, width: 5, addsInPlace: true)
        #expect(new.pointee.height == 99)
        for size in [1] + Array(3...PlanCache.capacity) {
            let plan = try cache.take(program, .any, height: size, width: 5, addsInPlace: true)
            #expect(plan == plans[size - 1] && plan.pointee.height == size)
        }
    }

    /// Equal shares, as large as fit.
    @Test(arguments: [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3), (7, 3), (9, 3), (10, 3), (1 << 40, 3)])
    func imagesShareTheMemoryOfABatch(count: Int, together: Int) throws {
        let program = try program(
            Configuration(depth: 18, inChannels: 3, baseChannels: 4, outStages: 15, normEval: 0, zeroInitResidual: 0))
        let whole = try Plan(program, .any, height: 40, width: 40, addsInPlace: true)
        let planner = Planner(
            kernels: KernelTable.reference.convolutions, isDirect: false, segmentCount: 9,
            batchFloats: 4 * whole.activationCount - 1)
        let plan = try Plan(program, planner, height: 40, width: 40, addsInPlace: true)
        #expect(plan.imagesTogether(of: count) == together)
    }

    @Test func cacheKeepsThePlansSeenLast() throws {
        let program = try program(
            Configuration(depth: 18, inChannels: 3, baseChannels: 4, outStages: 15, normEval: 0, zeroInitResidual: 0))
        var cache = PlanCache()
        let held = try cache.take(program, .any, height: 5, width: 5, addsInPlace: true)
        for size in 10..<10 + 3 * PlanCache.capacity {
            cache.giveBack(try cache.take(program, .any, height: size, width: size, addsInPlace: true))
        }
        // In use: it has not been evicted, and it is found again.
        #expect(try cache.take(program, .any, height: 5, width: 5, addsInPlace: true) == held)
        #expect(held.pointee.height == 5)
        let size = 9 + 3 * PlanCache.capacity
        let last = try cache.take(program, .any, height: size, width: size, addsInPlace: true)
        #expect(try cache.take(program, .any, height: size, width: size, addsInPlace: true) == last)
        // Training needs another plan.
        let training = try cache.take(program, .any, height: size, width: size, addsInPlace: false)
        #expect(training != last)
        #expect(last.pointee.addsInPlace && !training.pointee.addsInPlace)
        // So does every size, whichever of the two numbers differs.
        for (height, width) in [(7, 9), (7, 11), (9, 7), (11, 7), (9, 9)] {
            for _ in 0..<2 {
                let plan = try cache.take(program, .any, height: height, width: width, addsInPlace: true)
                #expect(plan.pointee.height == height && plan.pointee.width == width)
                #expect(plan.pointee.tensors[0].height == height && plan.pointee.tensors[0].width == width)
            }
        }
    }
}

struct WorkspaceStoreTests {
    @Test func reusesTheSmallestThatFits() throws {
        var store = WorkspaceStore()
        let small = try store.take(byteCount: 1000)
        let large = try store.take(byteCount: 9000)
        let (smallStart, largeStart) = (small.start, large.start)
        store.giveBack(large)
        store.giveBack(small)
        let again = try store.take(byteCount: 900)
        #expect(again.start == smallStart)
        let other = try store.take(byteCount: 900)
        #expect(other.start == largeStart)
        #expect(other.count == 9000)
    }
}

struct TensorViewTests {
    /// Against all addresses of all elements: what is let pass never overlaps, and common layouts are let pass.
    @Test func disjointness() {
        var data: Float = 0
        withUnsafeMutableBytes(of: &data) { bytes in
            let address = bytes.baseAddress
            func passes(_ shape: [Int], _ strides: [Int]) -> Bool {
                let view = TensorView(
                    data: address, element: .float32, shape: Dimensions(shape[0], shape[1], shape[2], shape[3]),
                    strides: Dimensions(strides[0], strides[1], strides[2], strides[3]))
                do throws(BackboneError) {
                    try view.checkAddresses("view")
                    try view.checkDisjoint("view")
                    return true
                } catch { return false }
            }
            var accepted = 0
            for number in 0..<20_000 {
                var bits = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
                func next(_ bound: Int) -> Int {
                    bits = (bits ^ (bits >> 29)) &* 0xBF58_476D_1CE4_E5B9
                    return Int(bits >> 33) % bound
                }
                let shape = (0..<4).map { _ in 1 + next(4) }
                let strides = (0..<4).map { _ in next(5) == 0 ? next(80) : [1, 2, 3, 4, 6, 8, 12, 16, 24, 48][next(10)]
                }
                guard passes(shape, strides) else { continue }
                accepted += 1
                var seen = Set<Int>()
                for n in 0..<shape[0] {
                    for c in 0..<shape[1] {
                        for h in 0..<shape[2] {
                            for w in 0..<shape[3] {
                                let place = n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3]
                                #expect(seen.insert(place).inserted, "\(shape) \(strides)")
                            }
                        }
                    }
                }
            }
            #expect(accepted > 300)
            #expect(passes([2, 3, 4, 5], [60, 20, 5, 1]))
            #expect(passes([2, 3, 4, 5], [60, 1, 15, 3]))
            #expect(passes([1, 3, 1, 5], [0, 5, -9, 1]))
            #expect(passes([0, 3, 4, 5], [0, 0, 0, 0]))
        }
    }
}
