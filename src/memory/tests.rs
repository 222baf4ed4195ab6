use super::*;

const ANSWER: u32 = 1024 * 1024;
const LIMIT: usize = WORKING_SET_FACTOR as usize * ANSWER as usize;

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// Memory for two operations of one owner and three in total.
fn memory() -> MemoryPool {
    MemoryPool::new(MemoryLimits {
        answer: ANSWER,
        owner: 2 * RESERVATION_FACTOR * ANSWER,
        all: 3 * RESERVATION_FACTOR * ANSWER,
        requests_of_owner: 2 * ANSWER,
        requests: 3 * ANSWER,
    })
}

#[tokio::test]
async fn small_operations_need_no_reservation() {
    let memory = memory();
    let budget = memory.budget(&owner("ada"));
    assert_eq!((budget.try_grow(UNRESERVED_BYTES), budget.remaining()), (Ok(()), 0));
    assert_eq!(budget.try_grow(1), Err(MemoryError::ReservationRequired));
    budget.shrink(1);
    assert_eq!((budget.try_grow(1), memory.reserved()), (Ok(()), 0));
    assert!(memory.owners().is_empty() && !budget.needs_no_reservation() && !budget.has_reservation());
}

#[tokio::test]
async fn larger_operations_need_a_reservation_and_have_a_limit() {
    let memory = memory();
    let budget = memory.budget(&owner("ada"));
    assert_eq!(budget.grow(LIMIT).await, Ok(()));
    assert_eq!((memory.reserved(), budget.has_reservation()), ((RESERVATION_FACTOR * ANSWER) as usize, true));
    assert_eq!(budget.clone().grow(1).await, Err(MemoryError::OperationTooLarge(ANSWER)));
    let message = "the operation needs more than 3145728 bytes of memory, 3 times the largest response: \
                   request less at once";
    assert_eq!(MemoryError::OperationTooLarge(ANSWER).to_string(), message);
    drop(budget);
    assert_eq!(memory.reserved(), 0);
    assert!(memory.owners().is_empty(), "no entries are left");
}

#[tokio::test]
async fn a_response_keeps_its_bytes_reserved_until_it_is_sent() {
    let memory = memory();
    let budget = memory.budget(&owner("ada"));
    budget.grow(LIMIT).await.unwrap();
    let held = budget.keep_response(UNRESERVED_BYTES + 1).await.unwrap();
    assert_eq!((memory.reserved(), held.is_empty()), (UNRESERVED_BYTES + 1, false));
    assert_eq!(budget.remaining(), UNRESERVED_BYTES, "the budget is reset");
    let small = budget.keep_response(UNRESERVED_BYTES).await.unwrap();
    assert!(small.is_empty());
    drop((held, small));
    assert_eq!(memory.reserved(), 0);
    // A small operation can have a large response.
    let held = budget.keep_response(ANSWER as usize).await.unwrap();
    assert_eq!(memory.reserved(), ANSWER as usize);
    drop((held, budget));
    assert!(memory.owners().is_empty());
}

#[tokio::test(start_paused = true)]
async fn owners_cannot_use_up_the_memory_of_others() {
    let memory = memory();
    let [first, second, third] = [(); 3].map(|()| memory.budget(&owner("ada")));
    first.reserve().await.unwrap();
    second.reserve().await.unwrap();
    assert_eq!(third.reserve().await, Err(MemoryError::Exhausted));
    let other = memory.budget(&owner("bob"));
    other.reserve().await.unwrap();
    assert_eq!(
        memory.budget(&owner("eve")).grow(UNRESERVED_BYTES + 1).await,
        Err(MemoryError::Exhausted),
        "the pool is used up"
    );
    let (waited, ()) = tokio::join!(third.reserve(), async { drop(first) });
    assert_eq!(waited, Ok(()));
    // Two fields of one operation share a reservation.
    drop((second, third, other));
    let budget = memory.budget(&owner("ada"));
    let (one, two) = tokio::join!(budget.reserve(), budget.reserve());
    assert_eq!((one, two, memory.reserved()), (Ok(()), Ok(()), (RESERVATION_FACTOR * ANSWER) as usize));
}

#[tokio::test]
async fn the_default_budget_is_unlimited() {
    let budget = MemoryBudget::default();
    assert_eq!((budget.try_grow(usize::MAX), budget.remaining()), (Ok(()), usize::MAX));
    assert_eq!((budget.needs_no_reservation(), budget.has_reservation()), (true, false));
    assert_eq!(budget.reserve().await, Ok(()));
    assert!(budget.keep_response(usize::MAX).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_budget_with_a_limit_has_no_reservation() {
    let budget = MemoryBudget::with_limit(7);
    assert_eq!((budget.try_grow(7), budget.grow(1).await), (Ok(()), Err(MemoryError::ReservationRequired)));
}

#[test]
fn large_requests_are_reserved_or_rejected_immediately() {
    let memory = memory();
    let [ada, bob] = [owner("ada"), owner("bob")];
    let small = memory.reserve_request(&ada, UNRESERVED_REQUEST_BYTES).unwrap();
    assert!(small.is_empty() && memory.owners().is_empty());
    let take = |owner: &OwnerId| memory.reserve_request(owner, ANSWER as usize);
    let (first, second) = (take(&ada).unwrap(), take(&ada).unwrap());
    assert_eq!(take(&ada).err(), Some(MemoryError::RequestsExhausted), "the owner's pool is used up");
    let third = take(&bob).unwrap();
    assert_eq!(take(&bob).err(), Some(MemoryError::RequestsExhausted), "the pool is used up");
    drop(first);
    assert!(take(&bob).is_ok_and(|held| !held.is_empty()));
    assert!(memory.reserve_request(&bob, usize::MAX).is_err());
    assert_eq!(
        (memory.reserved_for_requests(), memory.reserved()),
        (2 * ANSWER as usize, 0),
        "responses have their own pool"
    );
    drop((second, third));
    assert!(memory.owners().is_empty(), "no entries are left");
}
