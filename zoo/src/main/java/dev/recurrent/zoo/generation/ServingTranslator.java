package dev.recurrent.zoo.generation;

import ai.djl.inference.streaming.ChunkedBytesSupplier;
import ai.djl.inference.streaming.IteratorBytesSupplier;
import ai.djl.inference.streaming.StreamingTranslator;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.BytesSupplier;
import ai.djl.ndarray.NDList;
import ai.djl.translate.TranslatorContext;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Serves generation to DJL Serving. The answer is {@code {"generated_text": …, "details": {…}}}, or
 * a list of these for a list of prompts. Streamed, it is lines of {@code {"token": {"text": …}}},
 * then that object.
 */
final class ServingTranslator extends GenerationTranslator<Input, Output>
        implements StreamingTranslator<Input, Output> {

    private final GenerationConfig defaults;

    ServingTranslator(Tokenizer tokenizer, GenerationConfig defaults, MatrixPrecision precision) {
        super(tokenizer, precision);
        this.defaults = defaults;
    }

    @Override
    List<Output> generate(Generator generator, List<Input> inputs) {
        List<ServingRequest> requests =
                inputs.stream().map(input -> ServingRequest.of(input, defaults)).toList();
        List<String> prompts = new ArrayList<>();
        List<GenerationConfig> configs = new ArrayList<>();
        for (ServingRequest request : requests) {
            prompts.addAll(request.prompts());
            configs.addAll(Collections.nCopies(request.prompts().size(), request.config()));
        }
        Iterator<GenerationResult> results = generator.generate(prompts, configs).iterator();
        return requests.stream().map(request -> output(request, results)).toList();
    }

    private static Output output(ServingRequest request, Iterator<GenerationResult> results) {
        JsonArray answers = new JsonArray();
        request.prompts().forEach(prompt -> answers.add(json(results.next())));
        JsonElement answer = request.single() ? answers.get(0) : answers;
        Output output = new Output();
        output.addProperty("Content-Type", "application/json");
        output.add(answer.toString());
        return output;
    }

    private static JsonObject json(GenerationResult result) {
        JsonObject details = new JsonObject();
        details.addProperty(
                "finish_reason",
                switch (result.finishReason()) {
                    case END_OF_TEXT -> "eos_token";
                    case STOP_STRING -> "stop_sequence";
                    case LENGTH -> "length";
                });
        details.addProperty("prompt_tokens", result.promptTokens());
        details.addProperty("generated_tokens", result.ids().size());
        JsonObject json = new JsonObject();
        json.addProperty("generated_text", result.text());
        json.add("details", details);
        return json;
    }

    @Override
    public StreamOutput<Output> processStreamOutput(TranslatorContext ctx, Stream<NDList> list) {
        // Closing the Block's stream, which is empty, closes the context.
        try (list) {
            Input input = inputs(ctx).get(0);
            ServingRequest request = ServingRequest.of(input, defaults);
            if (request.prompts().size() != 1) {
                throw new IllegalArgumentException("A stream serves one prompt");
            }
            TokenStream text = generator(ctx).stream(request.prompts().get(0), request.config());
            return new Lines(new LineIterator(input, text));
        }
    }

    @Override
    public Support getSupport() {
        return Support.BOTH;
    }

    /** The streamed answer, which ends early when the client has gone. */
    private static final class LineIterator implements Iterator<BytesSupplier> {

        private final Input input;
        private final TokenStream text;
        private boolean ended;

        LineIterator(Input input, TokenStream text) {
            this.input = input;
            this.text = text;
        }

        @Override
        public boolean hasNext() {
            if (input.isCancelled()) {
                text.close();
                ended = true;
            }
            return !ended;
        }

        @Override
        public BytesSupplier next() {
            JsonObject line = new JsonObject();
            if (text.hasNext()) {
                JsonObject token = new JsonObject();
                token.addProperty("text", text.next());
                line.add("token", token);
            } else {
                ended = true;
                line = json(text.result());
            }
            return BytesSupplier.wrap(line + "\n");
        }
    }

    private static final class Lines extends StreamOutput<Output> {

        private final LineIterator lines;

        Lines(LineIterator lines) {
            this.lines = lines;
        }

        @Override
        public Output getIterativeOutputInternal() {
            return output(new IteratorBytesSupplier(lines));
        }

        @Override
        protected Output buildAsyncOutput() {
            return output(new ChunkedBytesSupplier());
        }

        @Override
        protected void computeAsyncOutputInternal(Output output) {
            ChunkedBytesSupplier chunks = (ChunkedBytesSupplier) output.getData();
            try {
                while (lines.hasNext()) {
                    chunks.appendContent(lines.next(), false);
                }
            } finally {
                // A reader waits until the last chunk, also when generating fails.
                chunks.appendContent(new byte[0], true);
            }
        }

        private static Output output(BytesSupplier data) {
            Output output = new Output();
            output.addProperty("Content-Type", "application/jsonlines");
            output.add(data);
            return output;
        }
    }
}
