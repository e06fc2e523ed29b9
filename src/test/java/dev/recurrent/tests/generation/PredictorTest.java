package dev.recurrent.tests.generation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.inference.streaming.ChunkedBytesSupplier;
import ai.djl.inference.streaming.IteratorBytesSupplier;
import ai.djl.inference.streaming.StreamingTranslator.StreamOutput;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Blocks;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.TextGenerationTranslatorFactory;
import dev.recurrent.zoo.generation.TokenStream;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PredictorTest {

    private static final TextGenerationTranslatorFactory FACTORY =
            new TextGenerationTranslatorFactory();

    /** As metadata and serving.properties give them: doubles and strings. */
    private static final Map<String, Object> ARGUMENTS =
            Map.of("max_new_tokens", 12.0, "temperature", "0.9", "topK", 40, "seed", 3.0);

    private static final GenerationConfig CONFIG =
            GenerationConfig.builder()
                    .optMaxNewTokens(12)
                    .optTemperature(0.9)
                    .optTopK(40)
                    .optSeed(3)
                    .build();

    /** Long enough for rounding to show. */
    private static final GenerationConfig LONG = CONFIG.toBuilder().optMaxNewTokens(60).build();

    private static Model model;

    @BeforeAll
    static void createModel() {
        model = Model.newInstance("tiny", "PyTorch");
        model.setBlock(TinyModel.hybrid(model.getNDManager(), 256));
    }

    @AfterAll
    static void closeModel() {
        model.close();
    }

    private static <I, O> Predictor<I, O> predictor(Class<I> input, Class<O> output)
            throws TranslateException {
        return model.newPredictor(FACTORY.newInstance(input, output, model, ARGUMENTS));
    }

    private static GenerationResult expected(String prompt, GenerationConfig config) {
        LanguageModel block = (LanguageModel) model.getBlock();
        try (NDManager manager = model.getNDManager().newSubManager()) {
            return new Generator(block, new ByteTokenizer(), manager).generate(prompt, config);
        }
    }

    private static String expected(String prompt) {
        return expected(prompt, CONFIG).text();
    }

    private static int held() {
        return model.getNDManager().getManagedArrays().size();
    }

    @Test
    void predictsText() throws TranslateException {
        try (Predictor<String, String> predictor = predictor(String.class, String.class)) {
            assertThat(predictor.predict("Hello")).isEqualTo(expected("Hello"));
            assertThat(predictor.batchPredict(List.of("a", "Hello", "two words")))
                    .containsExactly(expected("a"), expected("Hello"), expected("two words"));
        }
    }

    @Test
    void streamsText() throws TranslateException {
        try (Predictor<String, TokenStream> predictor =
                predictor(String.class, TokenStream.class)) {
            assertThat(predictor.supportsStreaming()).isTrue();
            int held = held();
            StringBuilder joined = new StringBuilder();
            try (TokenStream text = predictor.streamingPredict("Hello").getIterativeOutput()) {
                text.forEachRemaining(joined::append);
                assertThat(text.result()).isEqualTo(expected("Hello", CONFIG));
            }
            assertThat(joined).hasToString(expected("Hello"));

            try (TokenStream abandoned = predictor.predict("Hello")) {
                assertThat(expected("Hello")).startsWith(abandoned.next());
                assertThat(held()).isGreaterThan(held);
            }
            assertThat(held()).isEqualTo(held);

            StreamOutput<TokenStream> output = predictor.streamingPredict("Hello");
            assertThatThrownBy(output::getAsyncOutput)
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void closingThePredictorFreesItsStreams() throws TranslateException {
        int held = held();
        Predictor<String, TokenStream> predictor = predictor(String.class, TokenStream.class);
        predictor.streamingPredict("Hello").getIterativeOutput().next();
        assertThat(held()).isGreaterThan(held);
        predictor.close();
        assertThat(held()).isEqualTo(held);
    }

    private static Predictor<String, String> predictor(Model own, String precision)
            throws TranslateException {
        Map<String, Object> arguments = new HashMap<>(ARGUMENTS);
        arguments.put("precision", precision);
        arguments.put("max_new_tokens", LONG.maxNewTokens());
        return own.newPredictor(FACTORY.newInstance(String.class, String.class, own, arguments));
    }

    @Test
    void thePrecisionIsAnArgument() throws TranslateException {
        String narrow = MatrixPrecision.BFLOAT16.during(() -> expected("Hello", LONG).text());
        assertThat(narrow).isNotEqualTo(expected("Hello", LONG).text());
        try (Predictor<String, String> predictor = predictor(model, "bfloat16")) {
            assertThat(predictor.predict("Hello")).isEqualTo(narrow);
        }
        assertThatThrownBy(() -> predictor(model, "int4"))
                .isInstanceOf(TranslateException.class)
                .hasMessageContaining("precision must be full, bfloat16 or float16, not int4");
    }

    /** Converted weights serve all calls, unless the weights may have changed. */
    @Test
    void changedWeightsAreSeen() throws TranslateException {
        try (Model own = Model.newInstance("own", "PyTorch")) {
            LanguageModel block = TinyModel.hybrid(own.getNDManager(), 256);
            own.setBlock(block);
            try (Predictor<String, String> predictor = predictor(own, "bfloat16");
                    NDManager manager = own.getNDManager().newSubManager()) {
                String first = predictor.predict("Hello");
                Parameter head = SizedBlock.parametersOf(block).get("lm_head.weight");
                head.getArray().muli(-1);
                assertThat(predictor.predict("Hello")).as("kept").isEqualTo(first);

                try (NDArray turned = head.getArray().duplicate()) {
                    head.close();
                    head.initialize(own.getNDManager(), DataType.FLOAT32);
                    Torch.copyInto(head.getArray(), turned);
                }
                String second = predictor.predict("Hello");
                assertThat(second).as("other tensors").isNotEqualTo(first);

                NDList ids = new NDList(manager.create(new long[] {1, 2}, new Shape(1, 2)));
                block.forward(new ParameterStore(manager, false), ids, true);
                head.getArray().muli(-1);
                assertThat(predictor.predict("Hello")).as("trained").isEqualTo(first);
                head.getArray().muli(-1);
                assertThat(predictor.predict("Hello")).as("trained on").isEqualTo(second);
            }
        }
    }

    @Test
    void idsBecomeLogits() throws TranslateException {
        try (Predictor<NDList, NDList> predictor = predictor(NDList.class, NDList.class);
                NDManager manager = model.getNDManager().newSubManager()) {
            NDArray ids = manager.create(new long[] {72, 101, 108, 5, 6, 7}, new Shape(2, 3));
            NDArray logits = predictor.predict(new NDList(ids)).singletonOrThrow();
            assertThat(logits.getShape()).isEqualTo(new Shape(2, 3, 256));
            NDList full = new NDList(ids);
            ParameterStore store = new ParameterStore(manager, false);
            NDArray expected = model.getBlock().forward(store, full, false).singletonOrThrow();
            assertThat(logits.toFloatArray()).isEqualTo(expected.toFloatArray());
        }
    }

    private static Output serve(String content, String type) throws TranslateException {
        Input input = new Input();
        if (type != null) {
            input.addProperty("Content-Type", type);
        }
        input.add("data", content);
        try (Predictor<Input, Output> predictor = predictor(Input.class, Output.class)) {
            return predictor.predict(input);
        }
    }

    private static String generated(JsonObject answer) {
        return answer.get("generated_text").getAsString();
    }

    @Test
    void servesJsonAndText() throws TranslateException {
        Output plain = serve("Hello", "text/plain");
        assertThat(plain.getProperty("Content-Type", "")).isEqualTo("application/json");
        JsonObject answer = JsonParser.parseString(plain.getAsString(0)).getAsJsonObject();
        assertThat(generated(answer)).isEqualTo(expected("Hello"));
        JsonObject details = answer.getAsJsonObject("details");
        assertThat(details.get("finish_reason").getAsString()).isEqualTo("length");
        assertThat(details.get("prompt_tokens").getAsInt()).isEqualTo(5);
        assertThat(details.get("generated_tokens").getAsInt()).isEqualTo(12);

        String braces = "{\"inputs\": 1";
        answer = JsonParser.parseString(serve(braces, null).getAsString(0)).getAsJsonObject();
        assertThat(generated(answer)).isEqualTo(expected(braces));

        String request =
                "{\"inputs\": [\"a\", \"Hello\"],"
                        + " \"parameters\": {\"max_new_tokens\": 5, \"do_sample\": false}}";
        JsonArray answers =
                JsonParser.parseString(serve(request, "application/json").getAsString(0))
                        .getAsJsonArray();
        GenerationConfig config = CONFIG.toBuilder().optMaxNewTokens(5).optTemperature(0).build();
        assertThat(answers).hasSize(2);
        assertThat(generated(answers.get(0).getAsJsonObject()))
                .isEqualTo(expected("a", config).text());
        assertThat(generated(answers.get(1).getAsJsonObject()))
                .isEqualTo(expected("Hello", config).text());
    }

    @Test
    void servesStreams() throws Exception {
        try (Predictor<Input, Output> predictor = predictor(Input.class, Output.class)) {
            Input input = new Input();
            input.add("data", "{\"inputs\": \"Hello\", \"parameters\": {\"seed\": 3}}");
            int held = held();

            Output pieces = predictor.streamingPredict(input).getIterativeOutput();
            assertLines(
                    new String(((IteratorBytesSupplier) pieces.getData()).getAsBytes(), "UTF-8"));

            StreamOutput<Output> async = predictor.streamingPredict(input);
            Output template = async.getAsyncOutput();
            async.computeAsyncOutput();
            assertLines(
                    new String(((ChunkedBytesSupplier) template.getData()).getAsBytes(), "UTF-8"));

            Output gone = predictor.streamingPredict(input).getIterativeOutput();
            IteratorBytesSupplier lines = (IteratorBytesSupplier) gone.getData();
            lines.next();
            input.setCancelled(true);
            assertThat(lines.hasNext()).isFalse();
            assertThat(held()).isEqualTo(held);
        }
    }

    private static void assertLines(String lines) {
        StringBuilder joined = new StringBuilder();
        JsonObject last = null;
        for (String line : lines.split("\n")) {
            last = JsonParser.parseString(line).getAsJsonObject();
            if (last.has("token")) {
                joined.append(last.getAsJsonObject("token").get("text").getAsString());
            }
        }
        assertThat(joined).hasToString(expected("Hello"));
        assertThat(generated(last)).isEqualTo(expected("Hello"));
    }

    @Test
    void badRequestsAreNamedAndLeaveNothing() throws TranslateException {
        Map<String, String> wrong =
                Map.of(
                        "{\"inputs\": {}}", "inputs must be text",
                        "{\"inputs\": [null]}", "must not be null",
                        "{\"prompt\": \"a\"}", "must be {\"inputs\"",
                        "{\"inputs\": \"a\", \"parameters\": {\"typical_p\": 1}}", "typical_p",
                        "{\"inputs\": \"a\", \"parameters\": {\"top_k\": 1.5}}", "top_k",
                        "{\"inputs\": \"a\", \"parameters\": {\"top_p\": 2}}", "topP",
                        "{\"inputs\": \"\"}", "empty");
        int held = held();
        wrong.forEach(
                (request, message) ->
                        assertThatThrownBy(() -> serve(request, "application/json"))
                                .as(request)
                                .isInstanceOf(TranslateException.class)
                                .hasMessageContaining(message));
        try (Predictor<String, TokenStream> predictor =
                predictor(String.class, TokenStream.class)) {
            predictor.predict("the first call makes the model ready").close();
            String before = model.getNDManager().toString();
            for (int n = 0; n < 20; n++) {
                assertThatThrownBy(() -> predictor.streamingPredict(""))
                        .isInstanceOf(TranslateException.class);
                assertThatThrownBy(() -> predictor.predict("\ud83d"))
                        .isInstanceOf(TranslateException.class);
            }
            assertThat(model.getNDManager()).hasToString(before);
        }
        assertThat(held()).isEqualTo(held);
    }

    @Test
    void predictorsOnEightThreadsAgreeWithOne() throws Exception {
        Translator<String, String> shared =
                FACTORY.newInstance(String.class, String.class, model, ARGUMENTS);
        List<String> prompts = List.of("one", "two and more", "three", "four?");
        List<String> serial = prompts.stream().map(PredictorTest::expected).toList();
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<List<String>>> results = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                results.add(
                        threads.submit(
                                () -> {
                                    List<String> texts = new ArrayList<>();
                                    try (Predictor<String, String> predictor =
                                            model.newPredictor(shared)) {
                                        for (String prompt : prompts) {
                                            texts.add(predictor.predict(prompt));
                                        }
                                    }
                                    return texts;
                                }));
            }
            for (Future<List<String>> result : results) {
                assertThat(result.get()).isEqualTo(serial);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void factoryRefusesWhatItCannotDo() {
        assertThat(FACTORY.isSupported(Input.class, Output.class)).isTrue();
        assertThatThrownBy(() -> FACTORY.newInstance(String.class, float[].class, model, Map.of()))
                .isInstanceOf(TranslateException.class);
        assertThatThrownBy(
                        () ->
                                FACTORY.newInstance(
                                        String.class,
                                        String.class,
                                        model,
                                        Map.of("temperature", "hot")))
                .isInstanceOf(TranslateException.class)
                .hasMessageContaining("temperature")
                .hasMessageContaining("hot");
        try (Model other = Model.newInstance("other", "PyTorch")) {
            other.setBlock(Blocks.identityBlock());
            assertThatThrownBy(
                            () -> FACTORY.newInstance(String.class, String.class, other, Map.of()))
                    .isInstanceOf(TranslateException.class)
                    .hasMessageContaining("LanguageModel");
        }
    }
}
