// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// Blobs of the ResNets of Caffe2 and Detectron: `branch1` is the projection, `branch2a` to `branch2c` are the
    /// convolutions. `riv`, "running inverse variance", is the variance itself. Ignored are the momenta
    /// of training, and a bias of the first convolution, which Detectron's own network does not have either.
    static var caffe2: Grammar {
        Grammar(
            name: "caffe2",
            table: """
                place conv1_w res2_0_branch2a_w
                *_momentum -
                conv1_b -
                conv1_w conv1.weight
                res_conv1_bn_s bn1.weight
                res_conv1_bn_gamma bn1.weight
                res_conv1_bn_b bn1.bias
                res_conv1_bn_beta bn1.bias
                res_conv1_bn_rm bn1.running_mean
                res_conv1_bn_running_mean bn1.running_mean
                res_conv1_bn_riv bn1.running_var
                res_conv1_bn_running_var bn1.running_var
                conv1_bn_s bn1.weight
                conv1_bn_gamma bn1.weight
                conv1_bn_b bn1.bias
                conv1_bn_beta bn1.bias
                conv1_bn_rm bn1.running_mean
                conv1_bn_running_mean bn1.running_mean
                conv1_bn_riv bn1.running_var
                conv1_bn_running_var bn1.running_var
                fc1000_w fc.weight
                fc1000_b fc.bias
                pred_w fc.weight
                pred_b fc.bias
                res{s+1}_{b}_branch1_w layer{s}.{b}.downsample.0.weight
                res{s+1}_{b}_branch1_b layer{s}.{b}.downsample.0.bias
                res{s+1}_{b}_branch1_bn_s layer{s}.{b}.downsample.1.weight
                res{s+1}_{b}_branch1_bn_gamma layer{s}.{b}.downsample.1.weight
                res{s+1}_{b}_branch1_bn_b layer{s}.{b}.downsample.1.bias
                res{s+1}_{b}_branch1_bn_beta layer{s}.{b}.downsample.1.bias
                res{s+1}_{b}_branch1_bn_rm layer{s}.{b}.downsample.1.running_mean
                res{s+1}_{b}_branch1_bn_running_mean layer{s}.{b}.downsample.1.running_mean
                res{s+1}_{b}_branch1_bn_riv layer{s}.{b}.downsample.1.running_var
                res{s+1}_{b}_branch1_bn_running_var layer{s}.{b}.downsample.1.running_var
                res{s+1}_{b}_branch2{c:a}_w layer{s}.{b}.conv{c}.weight
                res{s+1}_{b}_branch2{c:a}_b layer{s}.{b}.conv{c}.bias
                res{s+1}_{b}_branch2{c:a}_bn_s layer{s}.{b}.bn{c}.weight
                res{s+1}_{b}_branch2{c:a}_bn_gamma layer{s}.{b}.bn{c}.weight
                res{s+1}_{b}_branch2{c:a}_bn_b layer{s}.{b}.bn{c}.bias
                res{s+1}_{b}_branch2{c:a}_bn_beta layer{s}.{b}.bn{c}.bias
                res{s+1}_{b}_branch2{c:a}_bn_rm layer{s}.{b}.bn{c}.running_mean
                res{s+1}_{b}_branch2{c:a}_bn_running_mean layer{s}.{b}.bn{c}.running_mean
                res{s+1}_{b}_branch2{c:a}_bn_riv layer{s}.{b}.bn{c}.running_var
                res{s+1}_{b}_branch2{c:a}_bn_running_var layer{s}.{b}.bn{c}.running_var
                conv1_gn_* gn1.*
                res{s+1}_{b}_branch1_gn_* layer{s}.{b}.downsample.gn.*
                res{s+1}_{b}_branch2{c:a}_gn_* layer{s}.{b}.gn{c}.*
                res{s+1}_{b}_* ~layer{s}.{b}.*
                """)
    }
}
