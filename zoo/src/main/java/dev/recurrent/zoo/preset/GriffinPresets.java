package dev.recurrent.zoo.preset;

import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.AttentionConfig.QueryKeyNorm;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.mixer.RgLruConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.config.EmbeddingScale;
import dev.recurrent.zoo.config.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Hawk, Griffin and the MQA Transformer at the sizes of arXiv 2402.19427 (table 2), and
 * RecurrentGemma.
 *
 * <p>All have RecurrentGemma's scaled embeddings and capped logits, which the paper's models did
 * without, so that transformers opens what is trained from them. The gates have as many blocks as
 * there are heads, as in the released code, where the heads divide E, and 16 as in the paper where
 * they do not.
 */
final class GriffinPresets {

    private static final String TYPE = "recurrent_gemma";
    private static final double SOFT_CAP = 30;
    private static final int TAPS = 4;
    private static final long PAPER_GATE_BLOCKS = 16;

    /** A size: D, E, depth, heads, window, vocabulary and length. */
    private record Size(
            String name,
            long width,
            long recurrence,
            int depth,
            long heads,
            int window,
            long vocabulary,
            SpecialTokens tokens,
            long maxPositions) {

        static Size paper(String name, long width, long recurrence, int depth, long heads) {
            SpecialTokens tokens = SpecialTokens.of(2, 1, 0);
            return new Size(name, width, recurrence, depth, heads, 1024, 32_000, tokens, 2048);
        }

        static Size released(String name, long width, int depth, long heads) {
            SpecialTokens tokens = SpecialTokens.of(2, 1, 0);
            return new Size(name, width, width, depth, heads, 2048, 256_000, tokens, 8192);
        }
    }

    private static final Size TINY =
            new Size(Preset.TINY, 128, 128, 6, 4, 127, 256, SpecialTokens.NONE, 1024);
    private static final List<Size> TASKS =
            List.of(
                    new Size(Preset.SMALL, 384, 384, 6, 6, 127, 256, SpecialTokens.NONE, 1024),
                    new Size(Preset.RECALL, 64, 64, 3, 2, 63, 8192, SpecialTokens.NONE, 512),
                    new Size(Preset.RECALL_BYTES, 64, 64, 3, 2, 63, 256, SpecialTokens.NONE, 512),
                    new Size(Preset.SYNTHETIC, 64, 64, 5, 4, 127, 16, SpecialTokens.NONE, 1024));
    private static final List<Size> PAPER =
            List.of(
                    Size.paper("100m", 768, 1024, 12, 6),
                    Size.paper("200m", 1024, 1536, 12, 8),
                    Size.paper("400m", 1536, 2048, 12, 12),
                    Size.paper("1.3b", 2048, 2560, 24, 16),
                    Size.paper("3b", 3072, 4096, 24, 24),
                    Size.paper("7b", 4096, 5632, 32, 32),
                    Size.paper("14b", 5120, 8192, 40, 40));
    private static final List<Size> RELEASED =
            List.of(
                    Size.released("recurrentgemma-2b", 2560, 26, 10),
                    Size.released("recurrentgemma-9b", 4096, 38, 16));

    private GriffinPresets() {}

    static List<Preset> all() {
        List<Size> sizes = new ArrayList<>();
        sizes.add(TINY);
        sizes.addAll(TASKS);
        sizes.addAll(PAPER);
        List<Preset> presets = new ArrayList<>();
        for (Size size : sizes) {
            presets.add(preset("hawk", size, recurrent(size)));
            presets.add(griffin(size));
            presets.add(preset("mqa-transformer", size, attention(size, 0)));
        }
        RELEASED.forEach(size -> presets.add(griffin(size)));
        return presets;
    }

    private static Preset griffin(Size size) {
        MixerConfig recurrent = recurrent(size);
        return preset("griffin", size, recurrent, recurrent, attention(size, size.window() + 1));
    }

    private static Preset preset(String artifactId, Size size, MixerConfig... cycle) {
        MlpConfig mlp = new MlpConfig(3 * size.width(), Activation.GELU_TANH, true);
        LayerConfig[] layers = new LayerConfig[size.depth()];
        Arrays.setAll(layers, i -> new LayerConfig(cycle[i % cycle.length], mlp));
        LanguageModelConfig model =
                new LanguageModelConfig(
                        size.width(),
                        size.vocabulary(),
                        NormConfig.zeroCentred(1e-6),
                        List.of(layers),
                        true,
                        EmbeddingScale.ofWidth(size.width()),
                        SOFT_CAP,
                        Initialization.fanIn(size.depth()));
        return new Preset(artifactId, size.name(), TYPE, model, size.tokens(), size.maxPositions());
    }

    private static RgLruConfig recurrent(Size size) {
        boolean divides = size.recurrence() % size.heads() == 0;
        return new RgLruConfig(size.recurrence(), divides ? size.heads() : PAPER_GATE_BLOCKS, TAPS);
    }

    private static AttentionConfig attention(Size size, int window) {
        long headDim = size.width() / size.heads();
        return new AttentionConfig(
                size.heads(),
                1,
                headDim,
                window,
                headDim / 2,
                10_000,
                false,
                true,
                QueryKeyNorm.NONE,
                null,
                false);
    }
}
