package dev.recurrent.tests.generation;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.LayerConfig;
import dev.recurrent.blocks.mixer.AttentionConfig;
import dev.recurrent.blocks.mixer.DeltaNetConfig;
import dev.recurrent.blocks.mixer.MixerConfig;
import dev.recurrent.blocks.nn.Activation;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.nn.MlpConfig;
import dev.recurrent.blocks.nn.NormConfig;
import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** Language models with random weights that are large enough for texts without a pattern. */
final class TinyModel {

    private TinyModel() {}

    /** Gated DeltaNet only: its state has one size. */
    static LanguageModel recurrent(NDManager manager, long vocabulary) {
        return model(manager, vocabulary, delta());
    }

    /** Gated DeltaNet, sliding-window attention and global attention. */
    static LanguageModel hybrid(NDManager manager, long vocabulary) {
        return model(
                manager,
                vocabulary,
                delta(),
                AttentionConfig.plain(2, 1, 8, 9),
                AttentionConfig.plain(2, 2, 8, 0));
    }

    private static MixerConfig delta() {
        return DeltaNetConfig.gatedDeltaNet().setHeads(2).setHeadDims(8, 8).build();
    }

    private static LanguageModel model(NDManager manager, long vocabulary, MixerConfig... mixers) {
        MlpConfig mlp = new MlpConfig(24, Activation.SILU, false);
        List<LayerConfig> layers =
                Arrays.stream(mixers).map(mixer -> new LayerConfig(mixer, mlp)).toList();
        LanguageModel model =
                new LanguageModel(
                        new LanguageModelConfig(
                                16,
                                vocabulary,
                                NormConfig.plain(1e-5),
                                layers,
                                false,
                                Initialization.normal(0.6)));
        manager.getEngine().setRandomSeed(31);
        model.initialize(manager, DataType.FLOAT32, new Shape(1, 1));
        return model;
    }

    /** A tokenizer of sixteen pieces, some of several characters; id 15 ends a text. */
    static final class Pieces implements Tokenizer {

        private static final String[] PIECES = {
            "a",
            "b",
            "c",
            "ab",
            "ba",
            "\u00e9",
            "\ud83d\ude00",
            "x",
            "xy",
            "y",
            "-",
            "--",
            " ",
            "q",
            "abc",
            ""
        };

        @Override
        public long[] encode(String text) {
            return text.chars().mapToLong(c -> Math.floorMod(c, PIECES.length - 1)).toArray();
        }

        @Override
        public String decode(long[] ids) {
            return Arrays.stream(ids).mapToObj(i -> PIECES[(int) i]).collect(Collectors.joining());
        }

        @Override
        public TextDecoder newDecoder() {
            return new TextDecoder() {
                @Override
                public String add(long id) {
                    return PIECES[(int) id];
                }

                @Override
                public String flush() {
                    return "";
                }
            };
        }

        @Override
        public long vocabulary() {
            return PIECES.length;
        }

        @Override
        public Set<Long> endOfText() {
            return Set.of(15L);
        }
    }
}
