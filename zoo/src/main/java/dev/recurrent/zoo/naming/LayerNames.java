package dev.recurrent.zoo.naming;

import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.zoo.naming.UpstreamTensor.Part;
import java.util.List;

/** The weights of one mixer or MLP, where several upstreams agree on them. */
final class LayerNames {

    private LayerNames() {}

    /** Attention: q, k, v and output projections, biases and norms where there are any. */
    static void attention(
            NameMap.Builder map, String upstream, String ours, AttentionConfig config) {
        for (String name : List.of("q_proj", "k_proj", "v_proj")) {
            projection(map, upstream + name, ours + name, config.projectionBias());
        }
        projection(map, upstream + "o_proj", ours + "o_proj", config.outputBias());
        if (config.queryKeyNorm() != QueryKeyNorm.NONE) {
            map.bind(upstream + "q_norm.weight", ours + "q_norm.weight");
            map.bind(upstream + "k_norm.weight", ours + "k_norm.weight");
        }
    }

    /** A gated MLP. */
    static void mlp(NameMap.Builder map, String upstream, String ours, boolean bias) {
        for (String name : List.of("gate_proj", "up_proj", "down_proj")) {
            projection(map, upstream + name, ours + name, bias);
        }
    }

    /** Mamba-2, as mamba_ssm names it. */
    static void mamba2(NameMap.Builder map, String upstream, String ours, Mamba2Config config) {
        projection(map, upstream + "in_proj", ours + "in_proj", config.projectionBias());
        projection(map, upstream + "conv1d", ours + "conv1d", config.convolutionBias());
        for (String name : List.of("dt_bias", "A_log", "D", "norm.weight")) {
            map.bind(upstream + name, ours + name);
        }
        projection(map, upstream + "out_proj", ours + "out_proj", config.projectionBias());
    }

    /** DeltaNet and Gated DeltaNet without their convolutions, as fla names them. */
    static void deltaNet(NameMap.Builder map, String upstream, String ours, DeltaNetConfig config) {
        map.bindAll(split(upstream, "_proj.weight", ours + "qkv_proj.weight", config));
        if (config.beta()) {
            map.bind(upstream + "b_proj.weight", ours + "b_proj.weight");
        }
        if (config.gated()) {
            for (String name : List.of("a_proj.weight", "A_log", "dt_bias")) {
                map.bind(upstream + name, ours + name);
            }
        }
        if (config.outputGate()) {
            map.bind(upstream + "g_proj.weight", ours + "g_proj.weight");
        }
        map.bind(upstream + "o_norm.weight", ours + "o_norm.weight");
        map.bind(upstream + "o_proj.weight", ours + "o_proj.weight");
    }

    /** Tensors for q, k and v apart, which are rows of one parameter of ours. */
    static List<UpstreamTensor> split(
            String upstream, String suffix, String parameter, DeltaNetConfig config) {
        long keys = config.heads() * config.keyDim();
        long values = config.valueHeads() * config.valueDim();
        return List.of(
                rows(upstream + "q" + suffix, parameter, 0, keys),
                rows(upstream + "k" + suffix, parameter, keys, keys),
                rows(upstream + "v" + suffix, parameter, 2 * keys, values));
    }

    private static UpstreamTensor rows(String name, String parameter, long first, long rows) {
        return new UpstreamTensor(name, List.of(new Part(parameter, first, rows)));
    }

    /** A projection or convolution with its bias. */
    static void projection(NameMap.Builder map, String upstream, String ours, boolean bias) {
        map.bind(upstream + ".weight", ours + ".weight");
        if (bias) {
            map.bind(upstream + ".bias", ours + ".bias");
        }
    }
}
