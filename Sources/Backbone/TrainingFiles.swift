// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Loading
import Networks
import Runtime
import Training

/// Loads the values of a network and the state of its optimiser from one file: both or neither.
func loadTraining(
    _ session: Session, _ optimizer: SessionOptimizer, _ path: UnsafePointer<CChar>, _ cancellation: Cancellation,
    _ out: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) {
    let request = LoadRequest()
    let stateDict = try request.open(path: path, cancellation)
    let optimizerDict = try OptimizerDict(besides: stateDict)
    try optimizer.load(session, from: optimizerDict, cancellation) { describe, adopt throws(BackboneError) in
        try load(stateDict, request, session, out, describe: describe, adopt: adopt)
    }
}
