package dev.recurrent.zoo.generation;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.HostLongs;
import dev.recurrent.blocks.kernel.SamplingKernel;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Chooses on a CUDA device, where the chosen tokens are the next pass's input: that pass is started
 * before the host has seen them. Texts that are left out go on in the session, unseen, until half
 * of its rows are such.
 */
final class DeviceDecoder implements Decoder {

    private final CudaDevice device;
    private final NDManager manager;
    private final Session session;
    private final long[][] prompts;
    private final int chunk;
    private final HostLongs[] mailboxes;
    private NDArray tokens;
    private SamplingKernel.State state;
    private int[] rows;
    private Pass underWay;
    private int passes;

    /** Where the tokens of a pass will be, and at which places those of the texts are. */
    private record Pass(HostLongs mailbox, int[] rows) {

        long[] await() {
            long[] ids = mailbox.await();
            return Arrays.stream(rows).mapToLong(row -> ids[row]).toArray();
        }

        Pass keep(int... texts) {
            return new Pass(mailbox, select(rows, texts));
        }
    }

    /**
     * Constructs a decoder that has not begun.
     *
     * @param device the session's
     * @param manager owner of its tensors, whose end is the decoder's
     * @param session at the beginning of its texts, which hangs there too
     * @param texts a text for each row
     * @param vocabulary how many logits a row has
     * @param chunk how many tokens of a prompt go through the model at a time
     */
    DeviceDecoder(
            CudaDevice device,
            NDManager manager,
            Session session,
            List<Continuation> texts,
            int vocabulary,
            int chunk) {
        this.device = device;
        this.manager = manager;
        this.session = session;
        this.chunk = chunk;
        prompts = texts.stream().map(Continuation::pending).toArray(long[][]::new);
        List<SamplingKernel.Setting> settings =
                texts.stream().map(text -> setting(text.config())).toList();
        for (long[] prompt : prompts) {
            new RaggedTokens(new long[][] {prompt}).requireVocabulary(vocabulary);
        }
        state = SamplingKernel.State.of(manager, settings, vocabulary, prompts);
        tokens = manager.create(new long[texts.size()], new Shape(texts.size(), 1));
        rows = IntStream.range(0, texts.size()).toArray();
        // One is read while the next pass writes the other.
        mailboxes =
                new HostLongs[] {
                    new HostLongs(device, rows.length), new HostLongs(device, rows.length)
                };
        // A text that is left alone ends with its manager.
        manager.attachInternal("mailboxes", mailboxes);
    }

    private static SamplingKernel.Setting setting(GenerationConfig config) {
        return new SamplingKernel.Setting(
                config.temperature(),
                config.topK(),
                config.topP(),
                config.repetitionPenalty(),
                config.seed());
    }

    @Override
    public long[] next(int most) {
        Pass pass = underWay == null ? start() : underWay;
        underWay = most > 1 ? start() : null;
        long[] ids = pass.await();
        for (long id : ids) {
            if (id < 0) {
                throw new IllegalStateException(
                        id == SamplingKernel.BROKEN
                                ? "A logit of the model is NaN or infinite"
                                : "All of the model's logits are -Infinity");
            }
        }
        return ids;
    }

    private Pass start() {
        NDArray logits = passes == 0 ? session.begin(prompts, chunk) : session.feed(tokens);
        HostLongs mailbox = mailboxes[passes++ % mailboxes.length];
        SamplingKernel.apply(device, logits, state, tokens, mailbox);
        mailbox.mark();
        return new Pass(mailbox, rows);
    }

    @Override
    public void keep(int... texts) {
        rows = select(rows, texts);
        underWay = underWay == null ? null : underWay.keep(texts);
        if (2 * rows.length <= session.rows()) {
            compact();
        }
    }

    private void compact() {
        session.keep(rows);
        NDArray allTokens = tokens;
        NDList all = state.arrays();
        try (TensorScope scope = new TensorScope()) {
            NDArray index = manager.create(Arrays.stream(rows).asLongStream().toArray());
            tokens = scope.keep(allTokens.get(index));
            state = state.select(index);
            scope.keep(state.arrays());
        }
        allTokens.close();
        all.close();
        rows = IntStream.range(0, rows.length).toArray();
    }

    private static int[] select(int[] rows, int[] texts) {
        return Arrays.stream(texts).map(text -> rows[text]).toArray();
    }
}
