package dev.recurrent.zoo.preset;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.Mamba2Config;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.config.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.IntFunction;

/**
 * DeltaNet, Gated DeltaNet, Mamba-2 and their hybrids, at the sizes that flash-linear-attention and
 * NVlabs/GatedDeltaNet trained (arXiv 2406.06484, 2412.06464).
 */
final class DeltaPresets {

    private static final String DELTA_NET = "delta_net";
    private static final String GATED_DELTA_NET = "gated_deltanet";
    private static final double SIGMA = 0.02;

    /** Near 1/√width: with {@link #SIGMA} a model this narrow hardly starts to learn. */
    private static final double RECALL_SIGMA = 0.1;

    private static final NormConfig NORM = NormConfig.plain(1e-6);
    private static final int WINDOW = 2048;
    private static final int TINY_WINDOW = 128;
    private static final int RECALL_WINDOW = 64;

    /** Vocabulary, special tokens and length. */
    private record Text(long vocabulary, SpecialTokens tokens, long maxPositions) {}

    private static final Text BYTES = new Text(256, SpecialTokens.NONE, 1024);
    private static final Text PAIRS = new Text(8192, SpecialTokens.NONE, 512);
    private static final Text BYTE_PAIRS = new Text(256, SpecialTokens.NONE, 512);
    private static final Text WORDS = new Text(32_000, SpecialTokens.of(1, 2, null), 4096);

    private DeltaPresets() {}

    static List<Preset> all() {
        List<Preset> presets = new ArrayList<>();
        deltaNet(presets, Preset.TINY, BYTES, 128, 512, 4, 2, TINY_WINDOW);
        deltaNet(presets, Preset.RECALL, PAIRS, 64, 128, 2, 2, RECALL_WINDOW);
        deltaNet(presets, Preset.RECALL_BYTES, BYTE_PAIRS, 64, 128, 2, 2, RECALL_WINDOW);
        deltaNet(presets, "340m", WORDS, 1024, 2816, 24, 8, WINDOW);
        deltaNet(presets, "1.3b", WORDS, 2048, 5632, 24, 16, WINDOW);

        gatedDeltaNet(presets, Preset.TINY, BYTES, 128, 512, 4, gated(2, 48));
        gatedDeltaNet(presets, Preset.RECALL, PAIRS, 64, 128, 2, square(2, 32));
        gatedDeltaNet(presets, Preset.RECALL_BYTES, BYTE_PAIRS, 64, 128, 2, square(2, 32));
        gatedDeltaNet(presets, "340m", WORDS, 1024, 2816, 21, gated(6, 256));
        gatedDeltaNet(presets, "1.3b", WORDS, 2048, 5632, 21, gated(6, 256));

        h1(presets, Preset.TINY, BYTES, 128, 512, 4, gated(2, 48), sliding(128, 4, TINY_WINDOW));
        h1(presets, Preset.SMALL, BYTES, 384, 1024, 6, gated(6, 32), sliding(384, 6, TINY_WINDOW));
        h1(
                presets,
                Preset.RECALL_BYTES,
                BYTE_PAIRS,
                64,
                128,
                2,
                square(2, 32),
                sliding(64, 2, RECALL_WINDOW));
        h1(presets, "0.4b", WORDS, 1536, 6144, 12, gated(9, 128), sliding(1536, 12, WINDOW));
        h1(presets, "1.3b", WORDS, 2304, 6144, 18, gated(9, 192), sliding(2304, 18, WINDOW));

        h2(
                presets,
                Preset.TINY,
                BYTES,
                128,
                256,
                6,
                mamba(128, 32, 32, 1e-6),
                gated(2, 48),
                sliding(128, 4, TINY_WINDOW));
        h2(
                presets,
                Preset.RECALL_BYTES,
                BYTE_PAIRS,
                64,
                128,
                3,
                mamba(64, 64, 32, 1e-6),
                square(2, 32),
                sliding(64, 2, RECALL_WINDOW));
        h2(
                presets,
                "1.3b",
                WORDS,
                2304,
                6144,
                18,
                mamba(2304, 64, 128, 1e-6),
                gated(9, 192),
                sliding(2304, 18, WINDOW));

        mamba2(presets, Preset.TINY, BYTES, 128, 10, mamba(128, 32, 64, 1e-5));
        mamba2(presets, Preset.RECALL, PAIRS, 64, 2, mamba(64, 64, 32, 1e-5));
        mamba2(presets, Preset.RECALL_BYTES, BYTE_PAIRS, 64, 2, mamba(64, 64, 32, 1e-5));
        mamba2(presets, "340m", WORDS, 1024, 48, mamba(1024, 64, 128, 1e-5));
        mamba2(presets, "1.3b", WORDS, 2048, 48, mamba(2048, 64, 128, 1e-5));
        return presets;
    }

    /** DeltaNet alone, with sliding windows in every other layer, and with two global layers. */
    private static void deltaNet(
            List<Preset> presets,
            String size,
            Text text,
            long width,
            long hidden,
            int depth,
            long heads,
            int window) {
        DeltaNetConfig delta =
                DeltaNetConfig.deltaNet()
                        .setHeads(heads)
                        .setHeadDims(width / heads, width / heads)
                        .build();
        AttentionConfig sliding = sliding(width, heads, window);
        AttentionConfig global = sliding(width, heads, 0);
        List<Integer> globalLayers = List.of(1, depth / 2);
        IntFunction<MixerConfig> pure = i -> delta;
        IntFunction<MixerConfig> alternating = i -> i % 2 == 0 ? delta : sliding;
        IntFunction<MixerConfig> twoGlobal = i -> globalLayers.contains(i) ? global : delta;
        presets.add(fla("delta-net", size, DELTA_NET, text, width, hidden, depth, false, pure));
        presets.add(
                fla(
                        "delta-net-swa",
                        size,
                        DELTA_NET,
                        text,
                        width,
                        hidden,
                        depth,
                        false,
                        alternating));
        presets.add(
                fla(
                        "delta-net-global",
                        size,
                        DELTA_NET,
                        text,
                        width,
                        hidden,
                        depth,
                        false,
                        twoGlobal));
    }

    private static void gatedDeltaNet(
            List<Preset> presets,
            String size,
            Text text,
            long width,
            long hidden,
            int depth,
            DeltaNetConfig gated) {
        presets.add(
                fla(
                        "gated-deltanet",
                        size,
                        GATED_DELTA_NET,
                        text,
                        width,
                        hidden,
                        depth,
                        false,
                        i -> gated));
    }

    /** Gated DeltaNet and sliding windows in turn; the head is tied, as the paper's counts show. */
    private static void h1(
            List<Preset> presets,
            String size,
            Text text,
            long width,
            long hidden,
            int depth,
            DeltaNetConfig gated,
            AttentionConfig sliding) {
        presets.add(
                fla(
                        "gated-deltanet-h1",
                        size,
                        GATED_DELTA_NET,
                        text,
                        width,
                        hidden,
                        depth,
                        true,
                        i -> i % 2 == 0 ? gated : sliding));
    }

    /** Mamba-2, Gated DeltaNet and sliding windows in turn. */
    private static void h2(
            List<Preset> presets,
            String size,
            Text text,
            long width,
            long hidden,
            int depth,
            Mamba2Config mamba,
            DeltaNetConfig gated,
            AttentionConfig sliding) {
        List<MixerConfig> cycle = List.of(mamba, gated, sliding);
        presets.add(
                fla(
                        "gated-deltanet-h2",
                        size,
                        "gated_deltanet_h2",
                        text,
                        width,
                        hidden,
                        depth,
                        true,
                        i -> cycle.get(i % cycle.size())));
    }

    private static void mamba2(
            List<Preset> presets,
            String size,
            Text text,
            long width,
            int depth,
            Mamba2Config mixer) {
        LanguageModelConfig model =
                new LanguageModelConfig(
                        width,
                        text.vocabulary(),
                        NormConfig.plain(mixer.epsilon()),
                        Collections.nCopies(depth, new LayerConfig(mixer, null)),
                        false,
                        Initialization.mamba(SIGMA, depth));
        presets.add(
                new Preset("mamba2", size, "mamba2", model, text.tokens(), text.maxPositions()));
    }

    private static Preset fla(
            String artifactId,
            String size,
            String modelType,
            Text text,
            long width,
            long hidden,
            int depth,
            boolean tiedHead,
            IntFunction<MixerConfig> mixers) {
        MlpConfig mlp = new MlpConfig(hidden, Activation.SILU, false);
        LayerConfig[] layers = new LayerConfig[depth];
        Arrays.setAll(layers, i -> new LayerConfig(mixers.apply(i), mlp));
        LanguageModelConfig model =
                new LanguageModelConfig(
                        width,
                        text.vocabulary(),
                        NORM,
                        List.of(layers),
                        tiedHead,
                        Initialization.normal(
                                size.startsWith(Preset.RECALL) ? RECALL_SIGMA : SIGMA));
        return new Preset(artifactId, size, modelType, model, text.tokens(), text.maxPositions());
    }

    private static DeltaNetConfig gated(long heads, long keyDim) {
        return DeltaNetConfig.gatedDeltaNet()
                .setHeads(heads)
                .setHeadDims(keyDim, 2 * keyDim)
                .build();
    }

    /** Gated DeltaNet with values as wide as keys. */
    private static DeltaNetConfig square(long heads, long dim) {
        return DeltaNetConfig.gatedDeltaNet().setHeads(heads).setHeadDims(dim, dim).build();
    }

    private static AttentionConfig sliding(long width, long heads, int window) {
        return AttentionConfig.plain(heads, heads, width / heads, window);
    }

    private static Mamba2Config mamba(long width, long headDim, long stateSize, double epsilon) {
        return new Mamba2Config(
                2 * width / headDim,
                headDim,
                stateSize,
                1,
                4,
                true,
                false,
                0,
                Double.POSITIVE_INFINITY,
                1,
                epsilon);
    }
}
