// SPDX-License-Identifier: GPL-2.0-only
/*
 * The links of the INTERRUPT event: their order, and how they and the regions
 * that their programs use come and go while IPIs flow.
 */
#include "interrupt_fixture.h"

/* Links run in the order they were made, until one has an opinion. */
HUP_TEST(ipi, chain)
{
	static const int answers[] = {
		HYPERUPCALL_NO_OPINION, HYPERUPCALL_DELIVER,
		HYPERUPCALL_CONSUMED
	};
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct hyperupcall_stats stats;
	long link[3];
	int i;

	for (i = 0; i < 3; i++)
		link[i] = hup_link(h, ipi_load_counter(h, self->offset, i,
						       answers[i]),
				   HYPERUPCALL_EVENT_INTERRUPT);
	ipi_start_halted(h, TARGET);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, VECTOR, 1));
	EXPECT_EQ(1, data->count[0]);
	EXPECT_EQ(1, data->count[1]);
	EXPECT_EQ(0, data->count[2]);
	hup_stats(h, link[0], &stats);
	EXPECT_EQ(0, stats.opinions);
	hup_stats(h, link[1], &stats);
	EXPECT_EQ(1, stats.opinions);
	hup_stats(h, link[2], &stats);
	EXPECT_EQ(0, stats.runs);

	/* A link that goes leaves the order of the others. */
	EXPECT_EQ(0, hup_unlink(h, link[1]));
	hup_wait_blocking(h, TARGET);
	ipi_send(h, TARGET, VECTOR);
	ipi_wait_a_while();
	EXPECT_EQ(1, data->received[TARGET][VECTOR]);
	EXPECT_EQ(2, data->count[0]);
	EXPECT_EQ(1, data->count[1]);
	EXPECT_EQ(1, data->count[2]);
	ipi_stop(h, TARGET);
}

/* A program that takes another's place takes it in the chain. */
HUP_TEST(ipi, replace_keeps_the_place)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long first, second;

	first = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			 HYPERUPCALL_EVENT_INTERRUPT);
	second = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			  HYPERUPCALL_EVENT_INTERRUPT);
	ipi_start_halted(h, TARGET);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(first, hup_replace(h, hup_load_return(h, HYPERUPCALL_DELIVER),
				     HYPERUPCALL_EVENT_INTERRUPT, first));
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, VECTOR, 1));
	hup_stats(h, first, &stats);
	EXPECT_EQ(2, stats.runs);
	EXPECT_EQ(2, stats.opinions);
	hup_stats(h, second, &stats);
	EXPECT_EQ(0, stats.runs);
	ipi_stop(h, TARGET);
}

#define NR_FLOWING	3000

/* Every IPI sees the old program or the new one, none sees neither. */
HUP_TEST(ipi, replace_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct hyperupcall_stats stats;
	long prog[2], link;
	uint64_t old;
	int i;

	for (i = 0; i < 2; i++)
		prog[i] = ipi_load_counter(h, self->offset, i,
					   HYPERUPCALL_CONSUMED);
	link = hup_link(h, prog[0], HYPERUPCALL_EVENT_INTERRUPT);
	ipi_start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 1; i < 20; i++) {
		EXPECT_EQ(link, hup_replace(h, prog[i % 2],
					    HYPERUPCALL_EVENT_INTERRUPT, link));
		old = data->count[(i + 1) % 2];
		usleep(1000);
		EXPECT_EQ(old, data->count[(i + 1) % 2]);
	}
	hup_join(h, THIRD);
	EXPECT_EQ(NR_FLOWING, data->count[0] + data->count[1]);
	hup_stats(h, link, &stats);
	EXPECT_EQ(NR_FLOWING, stats.runs);
	EXPECT_EQ(NR_FLOWING, stats.opinions);
	EXPECT_EQ(0, data->received[TARGET][VECTOR]);
	EXPECT_EQ(0, data->wakes);
	ipi_stop(h, TARGET);
}

/* Once UNLINK and UNLOAD return, the program is gone from under the IPIs. */
HUP_TEST(ipi, unlink_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t before;
	long prog, link;
	int i;

	ipi_start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 0; i < 20; i++) {
		prog = ipi_load_counter(h, self->offset, 0,
					HYPERUPCALL_CONSUMED);
		link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
		ASSERT_LT(0, link);
		usleep(1000);
		EXPECT_EQ(0, hup_unlink(h, link));
		EXPECT_EQ(0, hup_unload(h, prog));
		before = data->count[0];
		usleep(1000);
		EXPECT_EQ(before, data->count[0]);
	}
	hup_join(h, THIRD);
	ipi_stop(h, TARGET);
}

/* A region goes and comes while a program reads and writes it. */
HUP_TEST(ipi, unmap_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t *word = h->data.hva + IPI_DATA_SIZE;
	struct hyperupcall_stats stats;
	struct hup_asm a = {};
	uint32_t offset, next;
	long region, link;
	uint64_t before;
	int i;

	region = hup_map(h, h->data.gva + IPI_DATA_SIZE, PAGE_SIZE,
			 HYPERUPCALL_MAP_WRITE, &offset);
	ASSERT_LT(0, region);
	hup_emit_count(&a, offset);
	hup_emit_count(&a, IPI_AT(self->offset, count[0]));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	link = hup_link(h, hup_load_asm(h, &a), HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);
	ipi_start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, hup_unmap(h, region));
		before = READ_ONCE(*word);
		usleep(1000);
		EXPECT_EQ(before, READ_ONCE(*word));
		region = hup_map(h, h->data.gva + IPI_DATA_SIZE, PAGE_SIZE,
				 HYPERUPCALL_MAP_WRITE, &next);
		ASSERT_LT(0, region);
	}
	hup_join(h, THIRD);
	hup_stats(h, link, &stats);
	EXPECT_EQ(NR_FLOWING, stats.runs);
	EXPECT_EQ(NR_FLOWING, data->count[0]);
	EXPECT_EQ(NR_FLOWING, stats.faults + *word);
	EXPECT_LT(0, stats.faults);
	ipi_stop(h, TARGET);
}

/* A program over its budget is not asked, and what it would consume arrives. */
HUP_TEST(ipi, budget)
{
	static const struct kvm_hyperupcall_policy policy = { .budget_ns = 1 };
	struct hup *h = hup_create_policy(2, &policy);
	struct hyperupcall_stats stats = {};
	uint32_t offset;
	long link;
	int i;

	ipi_prepare(h, variant->mode, &offset);
	link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			HYPERUPCALL_EVENT_INTERRUPT);
	ipi_start_halted(h, TARGET);
	for (i = 1; i <= 20; i++) {
		ipi_send(h, TARGET, VECTOR);
		hup_stats(h, link, &stats);
		ASSERT_EQ(i, stats.runs + stats.throttled);
		ASSERT_EQ(stats.throttled,
			  ipi_wait_received(h, TARGET, VECTOR,
					    stats.throttled));
	}
	EXPECT_LT(0, stats.runs);
	EXPECT_LT(0, stats.throttled);
	EXPECT_LT(0, stats.run_ns);
	ipi_stop(h, TARGET);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
