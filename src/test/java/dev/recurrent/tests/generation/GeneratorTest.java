package dev.recurrent.tests.generation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.generation.FinishReason;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.PreparedModel;
import dev.recurrent.zoo.generation.TokenStream;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GeneratorTest {

    private static final TinyModel.Pieces TOKENIZER = new TinyModel.Pieces();
    private static final List<String> PROMPTS =
            List.of("a", "hello there", "The quick brown fox jumps over it".repeat(2), "zz");

    private static NDManager root;
    private static NDManager manager;
    private static LanguageModel model;
    private static Generator generator;

    @BeforeAll
    static void createModel() {
        root = NDManager.newBaseManager();
        model = TinyModel.hybrid(root, TOKENIZER.vocabulary());
        manager = root.newSubManager();
        generator = new Generator(model, TOKENIZER, manager);
    }

    @AfterAll
    static void closeModel() {
        root.close();
    }

    private static GenerationConfig.Builder greedy() {
        return GenerationConfig.builder().optMaxNewTokens(40).optIgnoreEndOfText(true);
    }

    private static GenerationConfig.Builder sampled() {
        return greedy().optTemperature(1.3).optTopK(12).optTopP(0.95).optSeed(5);
    }

    @Test
    void greedyIsTheArgmaxOfTheFullPass() {
        for (double penalty : new double[] {1, 1.5}) {
            GenerationConfig config = greedy().optRepetitionPenalty(penalty).build();
            GenerationResult result = generator.generate(PROMPTS.get(1), config);
            List<Long> all = new ArrayList<>();
            for (long id : TOKENIZER.encode(PROMPTS.get(1))) {
                all.add(id);
            }
            assertThat(result.promptTokens()).isEqualTo(all.size());
            assertThat(result.ids()).hasSize(40);
            for (long id : result.ids()) {
                assertThat(id).isEqualTo(argmaxOfFullPass(all, penalty));
                all.add(id);
            }
            assertThat(result.finishReason()).isEqualTo(FinishReason.LENGTH);
        }
    }

    private static long argmaxOfFullPass(List<Long> ids, double penalty) {
        try (NDManager scratch = root.newSubManager()) {
            long[] values = ids.stream().mapToLong(Long::longValue).toArray();
            NDList input = new NDList(scratch.create(values, new Shape(1, ids.size())));
            ParameterStore store = new ParameterStore(scratch, false);
            float[] logits = model.forward(store, input, false).singletonOrThrow().toFloatArray();
            int from = logits.length - (int) TOKENIZER.vocabulary();
            for (long id : Set.copyOf(ids)) {
                int place = from + (int) id;
                logits[place] *= (float) (logits[place] < 0 ? penalty : 1 / penalty);
            }
            int best = from;
            for (int i = from; i < logits.length; i++) {
                best = logits[i] > logits[best] ? i : best;
            }
            return best - from;
        }
    }

    @Test
    void aBatchGeneratesWhatEachPromptGeneratesAlone() {
        for (GenerationConfig config :
                List.of(
                        greedy().build(),
                        sampled().build(),
                        sampled().optRepetitionPenalty(1.4).optPrefillChunk(7).build(),
                        // Texts end at different steps and leave the batch.
                        sampled().optStopStrings(List.of("b", "y")).build())) {
            List<GenerationResult> together = generator.generate(PROMPTS, config);
            for (int i = 0; i < PROMPTS.size(); i++) {
                assertThat(together.get(i)).isEqualTo(generator.generate(PROMPTS.get(i), config));
            }
        }
    }

    @Test
    void eachPromptOfABatchMayHaveItsOwnWay() {
        List<GenerationConfig> configs =
                List.of(
                        sampled().optSeed(1).build(),
                        sampled().optSeed(2).optMaxNewTokens(3).build(),
                        greedy().build());
        List<String> prompts = List.of("same", "same", "same");
        List<GenerationResult> results = generator.generate(prompts, configs);
        for (int i = 0; i < 3; i++) {
            assertThat(results.get(i)).isEqualTo(generator.generate("same", configs.get(i)));
        }
        assertThat(results.get(0).ids()).isNotEqualTo(results.get(2).ids());
    }

    @Test
    void chunksOfThePromptDoNotChangeTheText() {
        for (GenerationConfig.Builder builder : List.of(greedy(), sampled())) {
            List<List<GenerationResult>> results = new ArrayList<>();
            for (int chunk : new int[] {1, 3, 64}) {
                results.add(generator.generate(PROMPTS, builder.optPrefillChunk(chunk).build()));
            }
            assertThat(results.get(1)).isEqualTo(results.get(0));
            assertThat(results.get(2)).isEqualTo(results.get(0));
        }
    }

    @Test
    void textIsCutBeforeAStopString() {
        GenerationConfig free = sampled().build();
        GenerationResult whole = generator.generate("abc", free);
        String text = whole.text();
        for (int start = 1; start + 5 < text.length(); start += 5) {
            for (int length : new int[] {1, 2, 5}) {
                String stop = text.substring(start, start + length);
                GenerationConfig config =
                        free.toBuilder().optStopStrings(List.of(stop, "never")).build();
                GenerationResult cut = generator.generate("abc", config);
                assertThat(cut.text()).isEqualTo(text.substring(0, text.indexOf(stop)));
                assertThat(cut.finishReason()).isEqualTo(FinishReason.STOP_STRING);
                assertThat(whole.ids().subList(0, cut.ids().size())).isEqualTo(cut.ids());
            }
        }
    }

    @Test
    void theStopStringThatIsCompleteFirstCounts() {
        String text = generator.generate("abc", sampled().build()).text();
        String longer = text.substring(4, 12);
        String within = text.substring(6, 9);
        int end = text.indexOf(within);
        GenerationConfig config = sampled().optStopStrings(List.of(longer, within)).build();
        assertThat(generator.generate("abc", config).text()).isEqualTo(text.substring(0, end));
    }

    @Test
    void aStreamGivesTheSameTextAndNeverAStopString() {
        String text = generator.generate(PROMPTS.get(1), sampled().build()).text();
        List<GenerationConfig> configs = new ArrayList<>(List.of(sampled().build()));
        for (int start = 5; start < text.length() - 6; start += 9) {
            String stop = text.substring(start, start + 6);
            configs.add(sampled().optStopStrings(List.of(stop, "zzzz")).build());
        }
        assertThat(configs.size()).isGreaterThan(3);
        for (GenerationConfig config : configs) {
            StringBuilder joined = new StringBuilder();
            try (TokenStream stream = generator.stream(PROMPTS.get(1), config)) {
                assertThatThrownBy(stream::result).isInstanceOf(IllegalStateException.class);
                while (stream.hasNext()) {
                    String piece = stream.next();
                    assertThat(piece).isNotEmpty();
                    joined.append(piece);
                    config.stopStrings().forEach(stop -> assertThat(joined).doesNotContain(stop));
                }
                assertThat(stream.result()).isEqualTo(generator.generate(PROMPTS.get(1), config));
                assertThat(joined).hasToString(stream.result().text());
                assertThatThrownBy(stream::next).isInstanceOf(NoSuchElementException.class);
            }
        }
    }

    @Test
    void anEndOfTextStopsAndIsNoText() {
        GenerationConfig free = sampled().optMaxNewTokens(300).build();
        GenerationResult whole = generator.generate("a", free);
        int end = whole.ids().indexOf(15L);
        assertThat(end).as("the seed makes the text end").isPositive();
        GenerationResult ended =
                generator.generate("a", free.toBuilder().optIgnoreEndOfText(false).build());
        assertThat(ended.ids()).isEqualTo(whole.ids().subList(0, end + 1));
        assertThat(ended.finishReason()).isEqualTo(FinishReason.END_OF_TEXT);

        long id = whole.ids().get(4);
        GenerationResult stopped =
                generator.generate("a", free.toBuilder().optStopIds(Set.of(id)).build());
        assertThat(stopped.ids()).isEqualTo(whole.ids().subList(0, whole.ids().indexOf(id) + 1));
        assertThat(stopped.text())
                .isEqualTo(
                        stopped.ids().stream()
                                .limit(stopped.ids().size() - 1)
                                .map(i -> TOKENIZER.decode(new long[] {i}))
                                .collect(Collectors.joining()));
    }

    @Test
    void promptsWithoutTokensAreRefused() {
        assertThatThrownBy(() -> generator.generate(List.of("a", ""), greedy().build()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Prompt 1 is empty");
        assertThatThrownBy(() -> generator.stream("", greedy().build()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(
                        () ->
                                generator.generateIds(
                                        List.of(new long[] {99}), List.of(greedy().build())))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("99");
        assertThat(generator.generate(List.of(), greedy().build())).isEmpty();
        assertNothingHeld();
    }

    @Test
    void abandonedStreamsFreeTheirState() {
        TokenStream stream = generator.stream("abc", greedy().build());
        stream.next();
        assertThat(manager.getManagedArrays()).isNotEmpty();
        stream.close();
        stream.close();
        assertNothingHeld();
        assertThat(stream.hasNext()).isFalse();
        assertThatThrownBy(stream::result).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aStreamReadToItsEndFreesItsStateByItself() {
        TokenStream stream = generator.stream("abc", greedy().build());
        stream.forEachRemaining(piece -> {});
        assertNothingHeld();
    }

    @Test
    void aThousandGenerationsLeaveNothing() {
        GenerationConfig config = sampled().optMaxNewTokens(2).build();
        LanguageModel small = TinyModel.recurrent(root, TOKENIZER.vocabulary());
        Generator own = new Generator(small, TOKENIZER, manager);
        int held = root.getManagedArrays().size();
        for (int n = 0; n < 1000; n++) {
            own.generate("a", config);
        }
        assertThat(root.getManagedArrays()).hasSize(held);
        assertNothingHeld();
    }

    @Test
    void aPreparedModelConvertsItsWeightsOnce() {
        LanguageModel own = TinyModel.hybrid(root, TOKENIZER.vocabulary());
        GenerationConfig config = greedy().build();
        Generator plain = new Generator(own, TOKENIZER, manager);
        List<GenerationResult> wanted =
                MatrixPrecision.BFLOAT16.during(() -> plain.generate(PROMPTS, config));
        try (PreparedModel prepared = new PreparedModel(own, MatrixPrecision.BFLOAT16, root)) {
            Generator holding = new Generator(prepared, TOKENIZER, manager);
            assertThat(holding.generate(PROMPTS, config)).isEqualTo(wanted);
            // What was converted is not looked at again.
            SizedBlock.parametersOf(own).entrySet().stream()
                    .filter(entry -> entry.getKey().endsWith("_proj.weight"))
                    .forEach(entry -> entry.getValue().getArray().muli(0));
            assertThat(holding.generate(PROMPTS, config)).isEqualTo(wanted);
        }
        assertThat(MatrixPrecision.BFLOAT16.during(() -> plain.generate(PROMPTS, config)))
                .isNotEqualTo(wanted);
        assertNothingHeld();
    }

    @Test
    void aPreparedModelOutlivesWhoeverStillUsesIt() {
        GenerationConfig config = greedy().build();
        String wanted = generator.generate("abc", config).text();
        int held = root.getManagedArrays().size();
        PreparedModel prepared = new PreparedModel(model, MatrixPrecision.FULL, root);
        TokenStream text = new Generator(prepared, TOKENIZER, manager).stream("abc", config);
        StringBuilder all = new StringBuilder(text.next());
        NDManager abandoned = manager.newSubManager();
        new Generator(prepared, TOKENIZER, abandoned).stream("abc", config).next();
        prepared.close();
        prepared.close();
        abandoned.close();
        text.forEachRemaining(all::append);
        assertThat(all).hasToString(wanted);
        assertThat(root.getManagedArrays()).hasSize(held);
        assertThatThrownBy(() -> new Generator(prepared, TOKENIZER, manager).stream("abc", config))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
        assertNothingHeld();
    }

    /** Neither arrays nor empty managers. */
    private static void assertNothingHeld() {
        assertThat(manager.getManagedArrays()).isEmpty();
        assertThat(manager.toString()).endsWith("Resource size: 0");
    }
}
