// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// `scripts/build --embedded` sets this to build the library's own targets as Embedded Swift: no runtime, no metadata.
let embedded = Context.environment["BACKBONE_EMBEDDED"] == "1"

// Settings of every target that ships in the library. Embedded Swift needs whole-module optimisation, which SwiftPM
// offers only as an unsafe flag.
//
// Every module of Embedded Swift has the bodies of the functions that it calls, and an optimisation that makes a function
// anew for its callers, with other parameters, would make those of an instruction set anew where that is missing.
let library: [SwiftSetting] =
    embedded
    ? [
        .enableExperimentalFeature("Embedded"),
        .unsafeFlags(["-wmo", "-Xllvm", "-sil-disable-pass=function-signature-opts"]),
    ] : []

// The instruction set of a target is a flag of the compiler that SwiftPM has no name for. Always optimised: without that
// the operations of SIMD types are calls to generic functions, which must not leave such a target. Nor must the bodies of
// its functions, which cross-module optimisation would compile again in a target without the instruction set.
//
// PREFETCHW (prfchw) is one that x86-64 CPUs without it take for one that does nothing: it needs no look at CPUID.
func instructions(_ options: String...) -> [SwiftSetting] {
    [.unsafeFlags(options.flatMap { ["-Xcc", $0] } + ["-O", "-disable-cmo"])]
}

// The targets of instruction sets: each compiles `Sources/VectorKernels`, to which its folder has a link, for its vectors.
// A library has those of its own architecture.
let instructionSets: [Target] = [
    .target(
        name: "KernelsAVX2", dependencies: ["CShims"],
        swiftSettings: library + instructions("-mavx2", "-mfma", "-mprfchw")),
    .target(
        name: "KernelsAVX512", dependencies: ["CShims"],
        swiftSettings: library + instructions("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprfchw")),
    // Every ARM of 64 bits has it.
    .target(name: "KernelsNEON", dependencies: ["CShims"], swiftSettings: library + instructions()),
]

#if arch(arm64)
    let isARM = true
#else
    // `scripts/build --arm64` sets this, which compiles the targets one by one for another machine than this.
    let isARM = Context.environment["BACKBONE_ARCHITECTURE"] == "arm64"
#endif

func isOurs(_ instructionSet: Target) -> Bool { (instructionSet.name == "KernelsNEON") == isARM }

// The targets are in the order in which data flows through them, from the C entry points down.
let package = Package(
    name: "backbone",
    products: [
        .library(name: "backbone", type: .dynamic, targets: ["Backbone"]),
        .executable(name: "backbone-bench", targets: ["backbone-bench"]),
    ],
    targets: [
        .systemLibrary(name: "CBackbone", path: "include"),
        .target(
            name: "Backbone",
            dependencies: [
                "CBackbone", "CShims", "Checkpoints", "Execution", "Kernels", "Loading", "Networks", "Runtime",
                "Training",
            ],
            swiftSettings: library
        ),
        .target(
            name: "Loading", dependencies: ["Checkpoints", "Execution", "Kernels", "Networks", "Runtime", "CShims"],
            swiftSettings: library),
        .target(
            name: "Training", dependencies: ["Checkpoints", "Execution", "Kernels", "Networks", "Runtime", "CShims"],
            swiftSettings: library),
        .target(name: "Checkpoints", dependencies: ["Runtime", "CShims"], swiftSettings: library),
        .target(
            name: "Execution", dependencies: ["Networks", "Kernels", "Runtime", "CShims"], swiftSettings: library),
        .target(name: "Networks", dependencies: ["Runtime", "CShims"], swiftSettings: library),
        .target(
            name: "Kernels",
            dependencies: instructionSets.filter(isOurs).map { .byName(name: $0.name) } + ["Runtime", "CShims"],
            swiftSettings: library),
        .target(name: "Runtime", dependencies: ["CShims"], swiftSettings: library),
        .target(name: "CShims", linkerSettings: [.linkedLibrary("m")]),
        // For tests alone: the library loads OpenBLAS itself, when it needs it.
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),

        .executableTarget(
            name: "backbone-bench",
            dependencies: ["Backbone", "CBackbone", "Execution", "Kernels", "Runtime", "CShims"]),

        .target(name: "CTestSupport", path: "Tests/CTestSupport"),
        .testTarget(name: "RuntimeTests", dependencies: ["Runtime", "CShims", "CTestSupport"]),
        // Optimised, since its sweeps are loops over millions of numbers.
        .testTarget(
            name: "KernelsTests", dependencies: ["Kernels", "Runtime", "COpenBLAS", "CTestSupport"],
            swiftSettings: [.unsafeFlags(["-O"])]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "Runtime"]),
        .testTarget(name: "LoadingTests", dependencies: ["Loading", "Checkpoints", "Networks", "Runtime"]),
        .testTarget(name: "NetworksTests", dependencies: ["Networks", "Runtime"]),
        .testTarget(name: "ExecutionTests", dependencies: ["Execution", "Networks", "Kernels", "Runtime"]),
        .testTarget(
            name: "TrainingTests", dependencies: ["Training", "Checkpoints", "Kernels", "Networks", "Runtime"]),
        .testTarget(name: "CAPITests", dependencies: ["Backbone", "CBackbone"]),
    ] + instructionSets.filter(isOurs),
    swiftLanguageModes: [.v6]
)

// `scripts/fuzz` sets this: a program that only links with the fuzzer's own main.
if Context.environment["BACKBONE_FUZZ"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "backbone-fuzz", dependencies: ["Backbone", "CBackbone", "Checkpoints", "Runtime"],
            path: "Tests/Fuzz", exclude: ["seeds.py", "checkpoints.dict"],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
